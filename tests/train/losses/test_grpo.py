"""GRPO: what is drawn, what it is worth, and what is learned from it, each by hand."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load

from foundry.core.errors import DataError, InterruptedRun, ProofError
from foundry.core.events import Event
from foundry.encode.tokenize import open_encoder
from foundry.train import descent
from foundry.train.adapters import full, pissa
from foundry.train.inputs import FitInputs
from foundry.train.losses import grouped, rewarded
from foundry.train.losses.asking import questions
from foundry.train.losses.grouped import GroupTrainer
from foundry.train.losses.noise import seeds_of
from foundry.train.losses.rewarded import STD_FLOOR, Choices, Rewarded
from foundry.train.proof import LOSS_TOLERANCE
from foundry.train.trainers import grpo
from tests import tiny, tiny_recipe
from tests.cases import case, change
from tests.tiny_run import ROWS, Setup, adapter_bytes, metrics, open_run

STEPS, MOST = 6, 8
# A random model says anything; which letters are among it is what it can learn in a few steps.
LETTERS = {"kind": "required-facts", "required": "應含", "credit": "share"}
SPELT = [replace(row, fields={"應含": "a|e|i|o|n|s|t|元|一|白"}) for row in ROWS]


def asking(setup: Setup, path: Path, *listeners: Any) -> FitInputs:
    """A run whose rows are questions, as the pipeline asks them."""
    inputs = open_run(setup, path, *listeners)
    encoder = open_encoder(inputs.base)
    asked = questions(setup.rows, inputs.rows, encoder)
    eos = encoder.tokenizer.eos_token_id
    return replace(inputs, asked=asked, ends=tuple(sorted({*inputs.stop_ids, eos})))


def spec(**values: Any) -> grpo.Spec:
    chosen: dict[str, Any] = {
        "rewards": [LETTERS],
        "max_steps": STEPS,
        "learning_rate": 2e-2,
        "global_batch_size": 3,
        "group_size": 4,
        "max_new_tokens": MOST,
        "checkpoint_every": 100,
    }
    return grpo.Spec.model_validate({**chosen, **values})


def fitted(folder: Path, path: Path, *listeners: Any, **values: Any) -> Any:
    """A run of `STEPS`; `values` are settings of the trainer or of `Setup`."""
    ours = ("micro_batch_size", "pack_tokens", "adapter", "method")
    chosen = {key: values.pop(key) for key in ours if key in values}
    inputs = asking(Setup(folder, STEPS, rows=SPELT, **chosen), path, *listeners)
    return inputs.run, grpo.fit(inputs, spec(**values))


def test_reward_grows_under_the_proofs_and_every_step_tells_its_spread(
    tiny_llama: Path, tmp_path: Path
):
    many = {"max_steps": 8, "global_batch_size": 8, "group_size": 8, "learning_rate": 5e-2}
    run, result = fitted(tiny_llama, tmp_path, **many)

    lines = metrics(run)
    # Seen over 64 answers a step: 0.25 before, 0.6 after; three standard errors are 0.1.
    assert lines[-1]["reward"] > lines[0]["reward"] + 0.1
    assert all(line["reward_std"] > 0 and line["answers"] == 64 for line in lines)
    for line in lines:
        assert (line["reward_low"] + line["reward_high"]) / 2 == pytest.approx(line["reward"])
        assert line["reward_low"] <= line["reward_high"]
    assert all(line["reward"] == line["reward_required-facts"] for line in lines)
    assert result.proof["mask"]["answers"] == 8 * 64
    assert result.proof["mask"]["supervised_tokens"] == sum(x["answer_tokens"] for x in lines)
    assert result.proof["loss"]["largest_logprob_difference"] < 1e-4
    assert result.proof["reload"]["largest_difference"] <= 1e-5
    assert result.epochs == 8


def test_nothing_is_said_to_be_asked_of_the_model_that_was_not(tiny_llama: Path, tmp_path: Path):
    run, _result = fitted(tiny_llama, tmp_path)

    settled = json.loads(run.file("settled.json").read_text(encoding="utf-8"))

    assert "packing" not in settled
    assert settled["attention"]["value"] == "own"
    assert "asked of the model" not in settled["attention"]["reason"]


def test_row_that_a_mixture_repeats_is_asked_as_often(tiny_llama: Path, tmp_path: Path):
    often, seen = [*SPELT, SPELT[0], SPELT[0]], list[Event]()
    inputs = asking(Setup(tiny_llama, STEPS, rows=often), tmp_path, seen.append)

    result = grpo.fit(inputs, spec(global_batch_size=len(often), scale_rewards="batch"))

    saved = inputs.run.file("checkpoints", f"step-{STEPS:06d}", "foundry.json")
    names = json.loads(saved.read_text(encoding="utf-8"))["seen_rows"]
    assert names.count(inputs.rows[0].id) == 3 * STEPS and len(names) == STEPS * len(often)
    assert result.epochs == STEPS
    assert "not-judged" not in [event["event"] for event in seen]


@pytest.mark.parametrize("packing", ["best-fit", "auto"])
def test_rows_that_are_drawn_from_are_never_packed(packing: str):
    with pytest.raises(ValidationError, match="packing"):
        spec(packing=packing)


class Drawn(Exception):
    """What a step drew; the training ends there."""


def drawn(folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    draw = GroupTrainer.draw

    def tell(self: Any, names: Any) -> Any:
        raise Drawn(self, draw(self, names))

    monkeypatch.setattr(GroupTrainer, "draw", tell)
    with pytest.raises(Drawn) as caught:
        fitted(folder, path)
    trainer, answers = caught.value.args
    return trainer, answers


def tokenised_by_trl(self: Any, prompts: list[str]) -> Any:
    """The question alone, without the template's turns."""
    texts = [self.drawing.asked[name].example.prompt[-1].content for name in prompts]
    return self.processing_class(text=texts)["input_ids"], None, {}


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


@case("C25", {"TRL tokenises": change(GroupTrainer, "_tokenize_prompts", tokenised_by_trl)})
def test_prompts_are_our_renderers_ids_and_answers_end_at_our_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer, answers = drawn(folder, tmp_path, monkeypatch)

    encoder = open_encoder(asking(Setup(folder), tmp_path / "again").base)
    ends = trainer.drawing.stop_ids
    for answer in answers:
        example = trainer.drawing.asked[answer["id"]].example
        assert answer["prompt_ids"] == encoder.prompt_ids(example.prompt)
        assert not set(answer["said_ids"][:-1]) & set(ends)
        assert answer["said_ids"][-1] in ends or len(answer["said_ids"]) == MOST


beside = GroupTrainer.side_by_side
summed_loss = GroupTrainer.summed_loss


def sees_padding(self: Any, rows: Any) -> Any:
    batch = beside(self, rows)
    return {**batch, "prompt_mask": torch.ones_like(batch["prompt_mask"])}


def a_mean(self: Any, model: Any, inputs: Any) -> Any:
    return summed_loss(self, model, inputs) / len(inputs["row_ids"])


def other_group(self: Any, names: Any) -> Any:
    answers = draw(self, names)
    return [
        {**a, "advantage": b["advantage"]}
        for a, b in zip(answers, answers[1:] + answers[:1], strict=True)
    ]


draw = GroupTrainer.draw
FAULTS = {
    "answers see what fills up": change(GroupTrainer, "side_by_side", sees_padding),
    "a pass is a mean": change(GroupTrainer, "summed_loss", a_mean),
    "advantages are another answer's": change(GroupTrainer, "draw", other_group),
    "TRL's own temperature": change(
        grouped.GRPOTrainer,
        "_get_per_token_logps_and_entropies",
        lambda self, *given, _own=grouped.GRPOTrainer._get_per_token_logps_and_entropies, **named: (
            tuple(None if x is None else x * 0.5 for x in _own(self, *given, **named))
        ),
    ),
}


@case("C13", FAULTS)
@pytest.mark.parametrize("scale", ["group", "none"])
def test_first_loss_is_checked_by_hand(tiny_llama: Path, tmp_path: Path, scale: str):
    try:
        _run, result = fitted(tiny_llama, tmp_path, beta=0.1, max_steps=3, scale_rewards=scale)
    except ProofError as error:
        raise AssertionError(str(error)) from error

    assert result.steps == 3


@pytest.mark.parametrize("loss", ["dapo", "grpo", "dr-grpo"])
def test_answers_one_by_one_are_answers_together(tiny_llama: Path, tmp_path: Path, loss: str):
    settings = {"loss": loss, "beta": 0.05, "max_steps": 3, "learning_rate": 1e-3}
    together = fitted(tiny_llama, tmp_path / "a", micro_batch_size=12, **settings)[0]
    alone = fitted(tiny_llama, tmp_path / "b", micro_batch_size=1, **settings)[0]

    pairs = list(zip(metrics(together), metrics(alone), strict=True))
    assert [a["reward"] for a, _ in pairs] == [b["reward"] for _, b in pairs]
    assert all(a["loss"] == pytest.approx(b["loss"], abs=1e-5) for a, b in pairs)
    found, expected = load(adapter_bytes(alone)), load(adapter_bytes(together))
    assert max(float((found[n] - expected[n]).abs().max()) for n in expected) < 1e-4


@pytest.mark.parametrize(
    ("method", "adapter"), [(pissa, pissa.Spec(rank=4, alpha=4)), (full, full.Spec())]
)
def test_reference_is_the_model_as_it_was_whatever_trains(
    tiny_llama: Path, tmp_path: Path, method: Any, adapter: Any
):
    """Nothing has moved at step 1, and something at the last."""
    settings = {"beta": 0.1, "max_steps": 3, "learning_rate": 3e-3}
    run, _result = fitted(tiny_llama, tmp_path, method=method, adapter=adapter, **settings)

    first, *_others, last = metrics(run)
    assert first["kl"] == pytest.approx(0, abs=1e-6)
    assert last["kl"] > 1e-5


def stop_after(step: int) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if event["event"] == "step" and event["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


def test_run_taken_up_again_draws_and_learns_as_the_straight_one(tiny_llama: Path, tmp_path: Path):
    straight = fitted(tiny_llama, tmp_path / "straight")[0]
    with pytest.raises(InterruptedRun):
        fitted(tiny_llama, tmp_path / "run", stop_after(2))
    resumed = fitted(tiny_llama, tmp_path / "run")[0]

    assert metrics(resumed) == metrics(straight)
    assert adapter_bytes(resumed) == adapter_bytes(straight)


def test_rows_that_no_reward_can_judge_are_left_out_or_refused(tiny_llama: Path, tmp_path: Path):
    facts = {"kind": "required-facts", "required": "應含"}
    told: list[Event] = []
    rows = [replace(row, fields={"應含": "鑰匙"} if n < 5 else {}) for n, row in enumerate(ROWS)]
    inputs = asking(Setup(tiny_llama, 1, rows=rows), tmp_path / "some", told.append)
    none = asking(Setup(tiny_llama, 1), tmp_path / "none")

    with pytest.raises(DataError, match="none of the rewards can judge any of 8 rows"):
        grpo.fit(none, spec(rewards=[facts]))
    with pytest.raises(ProofError, match="in no group of answers did the rewards differ"):
        grpo.fit(inputs, spec(rewards=[facts], max_steps=1))
    (event,) = [one for one in told if one["event"] == "not-judged"]
    assert (event["kept"], event["left_out"]) == (5, 3)


def test_loss_that_need_not_fall_is_not_warned_of(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(descent, "warning", lambda losses: {"code": descent.ROSE})

    _run, result = fitted(tiny_llama, tmp_path)

    assert result.warnings == ()


def test_settings_that_draw_nothing_to_compare_are_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        spec(group_size=1)
    with pytest.raises(ValidationError, match="listed twice"):
        spec(rewards=[LETTERS, LETTERS])
    with pytest.raises(ValidationError, match="unknown reward `required-fact`"):
        spec(rewards=[{**LETTERS, "kind": "required-fact"}])


def test_recipe_plans_for_drawing_trains_and_says_what_was_drawn(tiny_base: Path, tmp_path: Path):
    train = {"kind": "grpo", "rewards": [LETTERS], "max_steps": 4, "learning_rate": 1e-2}
    train |= {"global_batch_size": 2, "group_size": 4, "max_new_tokens": MOST, "temperature": 20}
    exports = [{"kind": "adapter"}]
    made = tiny_recipe.lay_out(tmp_path / "t", tiny_base, train=train, exports=exports, evals=[])

    lines = ["問題,回答,應含", *(f"第{n}題？,好。,a|e|i|o|n|s|t|元|一" for n in range(12))]
    (made.folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    outcome = made.train("--until", "train", "--json")

    assert outcome.code == 0, outcome.err
    plan = json.loads(made.run.file("plan.json").read_text(encoding="utf-8"))
    job = plan["estimate"]["job"]
    assert (job["global_batch_size"], job["drawn_tokens"]) == (8, MOST)
    assert plan["estimate"]["step"]["beside"] > 0
    assert all("reward_std" in line for line in metrics(made.run))
    refused = made.train("--dry-run", "--set", "data.split.validation=0.2")
    assert refused.code == 2
    assert "`grpo` has no loss that validation rows could be measured by" in refused.err


def test_noise_is_of_the_seed_the_step_and_the_question_alone():
    found = seeds_of(0, 1, [0, 1]) + seeds_of(0, 2, [0, 1]) + seeds_of(1, 1, [0, 1])

    assert len(set(found)) == 6
    # SHA-256 of "0 1 0", its first 56 bits: in no Python another one.
    assert found[0] == int(sha256(b"0 1 0").hexdigest()[:14], 16)


def seen(self: Any, ids: Any) -> dict[str, Any]:
    """Each token a part of an image."""
    return {name: torch.ones_like(ids) for name in self.zeros}


SAID = GroupTrainer._said


def drawn_as_seen(self: Any, prompts: Any, numbers: Any) -> Any:
    """What is asked is taken for images while answers are drawn, and for text by the loss."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GroupTrainer, "_all_text", seen)
        return SAID(self, prompts, numbers)


@case(
    "C22",
    {
        "text is taken for images": change(GroupTrainer, "_all_text", seen),
        "it is in drawing": change(GroupTrainer, "_said", drawn_as_seen),
    },
)
def test_class_that_also_sees_draws_and_learns_as_its_text_alone(one_thread: None, tmp_path: Path):
    found = []
    for folder in tiny.both_classes(tmp_path):
        made, _result = fitted(folder, tmp_path / f"{folder.name}-run")
        found.append(metrics(made))

    for seeing, alone in zip(*found, strict=True):
        assert seeing["reward"] == alone["reward"]
        assert seeing["grad_norm"] == pytest.approx(alone["grad_norm"], rel=1e-4)


@pytest.mark.parametrize("size", [3, 5, 6, 7, 9, 12])
@pytest.mark.parametrize("worth", [0.3, 1 / 3, -0.7])
def test_rewards_that_are_all_one_are_off_by_no_more_than_float32_makes_them(
    size: int, worth: float, monkeypatch: pytest.MonkeyPatch
):
    """TRL's mean of six times 0.3 is a unit off, which the floor of the deviation makes 3e-4 of."""
    monkeypatch.setattr(rewarded, "total", lambda *_: worth)
    example = SimpleNamespace(example=None)
    drawing = SimpleNamespace(rewards=(), asked={"a": example})
    method = Rewarded(drawing, Choices(size, MOST, 1.0, "dapo", "group"))
    trainer = SimpleNamespace(said=lambda _ids: None)

    made = method._by_rewards(trainer, [{"id": "a", "said_ids": [7]}] * size)

    given = torch.full((size,), worth)
    for mean in (given.mean(), given.double().mean().float() * (1 + 2**-23)):
        theirs = ((given - mean) / (given.std() + STD_FLOOR)).abs().max()
        assert float(theirs) - made[0].noise < LOSS_TOLERANCE
    assert made[0].value == pytest.approx(0, abs=1e-9) and made[0].noise < 2e-2
