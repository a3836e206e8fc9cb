"""`reward` on tiny models: the loss by hand and TRL's, where a reward is read, and the proofs."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from foundry.core import plugins
from foundry.core.errors import InterruptedRun, ProofError, ResourceError
from foundry.models import reward_model
from foundry.models.fetch import locate
from foundry.models.quiet import quiet
from foundry.models.reward_model import load_reward_model
from foundry.runtime.rewards import rewards_of
from foundry.train import adapter_files, fitting
from foundry.train.adapter_files import load_tuned
from foundry.train.batches.packing import with_rows_apart
from foundry.train.losses.bradley_terry import BradleyTerry, JudgeTrainer
from foundry.train.losses.log_probs import sides_of
from foundry.train.signals import StopRequest
from foundry.train.steps import entry
from tests import tiny
from tests.preferences import fit, moved, opened, pairs
from tests.support import covers
from tests.tiny_run import adapter_bytes, metrics
from tests.train.test_adapters import RATES, SIZES

MARGINS, CENTRE = (0.0, 0.5, 1.0, 0.25, 0.0, 0.0, 2.0, 0.1), 0.01


def trainer_of(inputs: Any, objective: BradleyTerry) -> Any:
    spec = plugins.load("trainer", "reward").Spec(max_steps=1, global_batch_size=8)
    return fitting.set_up(inputs, spec, StopRequest(), None, objective, half=False)[0]


def step_loss(trainer: Any, rows: Any) -> float:
    batches = trainer.micro_batches([entry(row) for row in rows])
    assert len(batches) > 1
    with torch.no_grad():
        losses = [
            trainer.compute_loss(trainer.model, b, num_items_in_batch=len(rows)) for b in batches
        ]
    return float(sum(losses))


def trl_loss(inputs: Any, folder: Path) -> float:
    """By TRL's own trainer, collator and pooling, on the same rows, head and update."""
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    tokenizer = inputs.tokenizer
    rows = [
        {"chosen_ids": row.input_ids, "rejected_ids": row.rejected_input_ids, "margin": row.margin}
        for row in inputs.rows
    ]
    chosen = {
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "activation_checkpointing": False,
    }
    arguments = RewardConfig(str(folder), center_rewards_coefficient=CENTRE, **chosen)
    with quiet(), torch.no_grad():
        before, tokenizer.pad_token = tokenizer.pad_token, tokenizer.bos_token
        dataset = Dataset.from_list(rows)
        theirs = RewardTrainer(inputs.model, arguments, None, dataset, processing_class=tokenizer)
        inputs.model.eval()
        batch = theirs.data_collator([theirs.train_dataset[n] for n in range(len(rows))])
        loss = float(theirs.compute_loss(inputs.model, batch))
        tokenizer.pad_token = before
    return loss


def test_loss_is_the_formula_by_hand_and_that_of_trl(tiny_llama: Path, tmp_path: Path):
    rows = [replace(row, margin=m) for row, m in zip(pairs(), MARGINS, strict=True)]
    inputs = opened("reward", tiny_llama, tmp_path, micro_batch_size=3, rows=rows)
    assert [row.margin for row in inputs.rows] == list(MARGINS)
    moved(inputs)

    with quiet(), with_rows_apart(inputs) as apart:
        trainer = trainer_of(apart, BradleyTerry(CENTRE))
        inputs.model.eval()
        found = step_loss(trainer, inputs.rows)

    better, worse = rewards_of(inputs.model, [ids for ids, _l in sides_of(inputs.rows)]).chunk(2)
    margin = torch.tensor(MARGINS)
    losses = (1 + (-(better - worse - margin)).exp()).log() + CENTRE * (better + worse) ** 2
    assert float(better.std()) > 0.05
    assert found == pytest.approx(float(losses.mean()), abs=1e-5)
    assert found == pytest.approx(trl_loss(inputs, tmp_path / "trl"), abs=1e-5)


@pytest.mark.parametrize("kind", ["packed", "padded", "single"])
def test_reward_is_that_of_transformers_own_class_however_rows_lie(
    tiny_llama: Path, tmp_path: Path, kind: str
):
    inputs = opened("reward", tiny_llama, tmp_path, kind=kind)
    moved(inputs)
    sides = [list(ids) for ids, _labels in sides_of(inputs.rows)]
    with torch.no_grad():
        own = [float(inputs.model(input_ids=torch.tensor([ids])).logits) for ids in sides]

    with quiet(), with_rows_apart(inputs) as apart:
        trainer = trainer_of(apart, BradleyTerry())
        inputs.model.eval()
        found: dict[Any, float] = {}
        for batch in trainer.micro_batches([entry(row) for row in inputs.rows]):
            keys = [(name, side) for side in range(2) for name in batch["row_ids"]]
            found |= zip(keys, trainer.rewards(inputs.model, batch).tolist(), strict=True)

    names = [(row.id, side) for side in range(2) for row in inputs.rows]
    assert [found[name] for name in names] == pytest.approx(own, abs=1e-5)


def one_too_far(self: Any, model: Any, given: Any) -> torch.Tensor:
    """Reads each reward one token before the end, as where the end of an answer is the padding."""
    shorter = {**given, "lengths": [length - 1 for length in given["lengths"]]}
    return at_ends(self, model, shorter)


def swapped(self: Any, model: Any, inputs: Any) -> torch.Tensor:
    """Takes the worse answers for the better ones."""
    return torch.cat(rewards(self, model, inputs).chunk(2)[::-1])


at_ends, rewards, joined = JudgeTrainer._at_ends, JudgeTrainer.rewards, JudgeTrainer._joined

MUTANTS: dict[str, dict[str, Any]] = {
    "reward read at the padding": {"_at_ends": one_too_far},
    "pairs swapped": {"rewards": swapped},
    "margin forgotten": {
        "_joined": lambda self, rows: joined(self, [{**r, "margin": None} for r in rows])
    },
}


@pytest.mark.parametrize("name", MUTANTS)
def test_proof_before_the_first_step_refuses(
    name: str, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [replace(row, margin=m) for row, m in zip(pairs(), MARGINS, strict=True)]
    inputs = opened("reward", tiny_llama, tmp_path, rows=rows)
    moved(inputs)
    for method, mutant in MUTANTS[name].items():
        monkeypatch.setattr(JudgeTrainer, method, mutant)

    with pytest.raises(ProofError) as refused:
        fit("reward", inputs)

    assert refused.value.problems[0].where == "train.loss"
    assert "by hand" in refused.value.problems[0].what


RATE = {"full": 3e-3, "lora-plus": 1e-3, **RATES}  # where 1e-2 overshoots
# Of each family with a class for it: tied, so that the class has no head of the vocabulary.
OTHERS = (
    *("gemma3", "gpt-oss", "mistral", "olmo2", "olmo3", "phi3", "qwen2.5", "qwen3", "qwen3.5"),
    "smollm3",
)


@covers(lambda kind: [{"trainer": "reward", "adapter": kind, "family": "llama"}])
@pytest.mark.parametrize("kind", SIZES)
def test_pairs_are_told_apart_under_all_proofs(tiny_llama: Path, tmp_path: Path, kind: str):
    method = plugins.load("adapter", kind)
    spec = method.Spec(**SIZES[kind])
    inputs = opened("reward", tiny_llama, tmp_path, steps=8, adapter=spec, method=method)
    heads = [name for name, p in inputs.model.named_parameters() if "score" in name]

    result = fit("reward", inputs, learning_rate=RATE.get(kind, 1e-2))

    lines = metrics(inputs.run)
    assert lines[-1]["rewards/margins"] > lines[0]["rewards/margins"] + 0.01
    assert {"rewards/chosen", "rewards/rejected", "rewards/accuracies"} <= lines[0].keys()
    assert lines[0]["loss"] == pytest.approx(0.6931, abs=0.2)
    assert all(".lora_" not in name for name in heads) and len(heads) == (1 + (kind != "full"))
    assert result.proof["moved"]["tensors"] == result.proof["moved"]["moved"]
    saved = load_file(next(inputs.run.file(result.adapter).glob("*.safetensors")))
    (head,) = (tensor for name, tensor in saved.items() if "score" in name)
    assert head.dtype == torch.float32
    (live,) = (p for n, p in inputs.model.named_parameters() if "score" in n and p.requires_grad)
    assert torch.equal(head, live.detach())


@covers(lambda name: [{"trainer": "reward", "family": tiny.MODELS[name].family}])
@pytest.mark.parametrize("name", OTHERS)
def test_other_families_learn_rewards(one_thread: None, tmp_path: Path, name: str):
    folder = tiny.build(tmp_path / name, name)

    inputs = opened("reward", folder, tmp_path / "run", steps=3, max_seq_len=384)
    result = fit("reward", inputs)

    assert result.proof["moved"] and result.proof["reload"]["largest_difference"] < 1e-5


@covers(lambda family: [{"trainer": "reward", "family": family, "refused": "no class"}])
@pytest.mark.parametrize("family", ["apertus", "gemma4", "granite", "mistral3"])
def test_family_without_a_class_for_it_is_refused(tiny_llama: Path, tmp_path: Path, family: str):
    base = replace(locate(str(tiny_llama), tmp_path), folder=str(tmp_path))

    for kind in plugins.load("family", family).MODEL_TYPES:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}), encoding="utf-8")
        found = reward_model.misfit(base)
        assert found is not None and kind in found.what and found.fix


def test_class_of_several_parts_is_refused(tiny_llama: Path, tmp_path: Path):
    base = replace(locate(str(tiny_llama), tmp_path), folder=str(tmp_path))
    config = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")

    assert "several parts" in reward_model.misfit(base).what
    assert reward_model.misfit(locate(str(tiny_llama), tmp_path)) is None


def test_all_runs_begin_with_one_head_whatever_is_drawn_before(tiny_llama: Path, tmp_path: Path):
    base = locate(str(tiny_llama), tmp_path)
    first = load_reward_model(base).score.weight.detach()
    torch.manual_seed(7)

    again = load_reward_model(base).score.weight

    assert torch.equal(first, again)
    assert float(first.std()) == pytest.approx(0.02, rel=0.3)


@pytest.fixture(scope="module")
def trained(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    inputs = opened("reward", tiny_llama, tmp_path_factory.mktemp("reward"), steps=4)
    fit("reward", inputs, checkpoint_every=2)
    return inputs


def without_head(folder: Path, into: Path) -> Path:
    into.mkdir()
    for file in folder.iterdir():
        if file.suffix == ".safetensors":
            kept = {k: v for k, v in load_file(file).items() if "score" not in k}
            save_file(kept, into / file.name, metadata={"format": "pt"})
        else:
            (into / file.name).write_bytes(file.read_bytes())
    return into


def test_adapter_without_its_head_is_refused_and_not_filled_up(trained: Any, tmp_path: Path):
    lacking = without_head(trained.run.file("adapter"), tmp_path / "lacking")

    with pytest.raises(ProofError) as refused:
        load_tuned(trained.base, lacking)

    assert "score.weight" in refused.value.problems[0].what


def test_whole_model_without_its_head_is_refused(tiny_llama: Path, tmp_path: Path):
    base = locate(str(tiny_llama), tmp_path)
    load_reward_model(base).save_pretrained(tmp_path / "whole")
    lacking = without_head(tmp_path / "whole", tmp_path / "lacking")

    with pytest.raises(ResourceError) as refused:
        load_tuned(base, lacking)

    assert "score.weight" in refused.value.problems[0].what


def test_head_that_is_not_saved_is_found(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inputs = opened("reward", tiny_llama, tmp_path, steps=3)
    save = adapter_files.save_adapter

    def untrained_head(model: Any, *rest: Any) -> None:
        wrapped = model.score
        kept = wrapped.modules_to_save["default"]
        wrapped.modules_to_save["default"] = wrapped.original_module
        save(model, *rest)
        wrapped.modules_to_save["default"] = kept

    monkeypatch.setattr(fitting, "save_adapter", untrained_head)

    with pytest.raises(ProofError, match="differs from the live model"):
        fit("reward", inputs)


@pytest.mark.parametrize("step", [1, 2])
def test_run_that_was_stopped_goes_on_to_the_same_bits(
    tiny_llama: Path, trained: Any, tmp_path: Path, step: int
):
    def stop(event: Any) -> None:
        if event["event"] == "step" and event["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRun):
        fit("reward", opened("reward", tiny_llama, tmp_path, stop), checkpoint_every=2)

    again = opened("reward", tiny_llama, tmp_path)
    fit("reward", again, checkpoint_every=2)

    assert adapter_bytes(again.run) == adapter_bytes(trained.run)
    assert metrics(again.run) == metrics(trained.run)


def test_half_precision_is_proven_in_full(tiny_llama: Path, tmp_path: Path):
    """The step computes in bfloat16, its proofs before and after do not."""
    inputs = opened("reward", tiny_llama, tmp_path, steps=3)
    moved(inputs)  # rewards so large that a rounding shows

    result = fit("reward", inputs, dtype="bfloat16")

    loss = result.proof["loss"]
    assert loss["trainer"] == pytest.approx(loss["by_hand"], abs=1e-5)
    assert result.proof["reload"]["largest_difference"] < 1e-5


def test_validation_rows_are_measured_by_the_same_loss(tiny_llama: Path, tmp_path: Path):
    inputs = opened("reward", tiny_llama, tmp_path, steps=3)
    inputs = replace(inputs, validation=inputs.rows[:3])

    result = fit("reward", inputs, evaluate_every=1)

    assert result.validation["measured"] == 3
