"""What trains is float32, and a number that is not finite stops the run at once (C23)."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import DataError
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.tokenizer import load_tokenizer
from foundry.train import checkpoint, fitting, proof, steps
from foundry.train.adapters import lora, qlora
from foundry.train.inputs import FitInputs
from foundry.train.losses.supervised import SupervisedTrainer
from foundry.train.progress import Progress
from foundry.train.trainers import sft
from tests.cases import Patch, case, change
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import Setup, fast, open_run

attach, count, make_trainer = lora.attach, SupervisedTrainer._count, fitting._trainer


def halved(model: Any, spec: Any) -> Any:
    """The update is cast to bfloat16, as TRL does where the base is quantised (engines.md 3)."""
    made = attach(model, spec)
    for parameter in proof.trainable(made).values():
        parameter.data = parameter.data.bfloat16()
    return made


def halved_late(*given: Any) -> Any:
    """The optimizer gets float32 copies; the model's own tensors are half of that."""
    trainer = make_trainer(*given)
    for parameter in proof.trainable(trainer.model).values():
        parameter.data = parameter.data.half()
    return trainer


def unseen(*patches: Patch) -> Patch:
    """Faults that the learning proof does not look for."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(proof, "check_optimizer", lambda *_: {})
        for one in patches:
            one(patch)

    return apply


HALVED = {
    "the update is bfloat16": change(lora, "attach", halved),
    "nobody sees that it is": unseen(change(lora, "attach", halved)),
    "it becomes half later": unseen(change(fitting, "_trainer", halved_late)),
}


@pytest.fixture(params=[torch.float16, torch.bfloat16, torch.float32], ids=str)
def stored(request: pytest.FixtureRequest, tiny_llama: Path, tmp_path: Path) -> Path:
    """The tiny Llama as published: its weights stored in a precision."""
    base = locate(str(tiny_llama), tmp_path)
    load_model(base).to(request.param).save_pretrained(tmp_path / "stored")
    load_tokenizer(base).save_pretrained(tmp_path / "stored")
    config = json.loads((tmp_path / "stored" / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == str(request.param).removeprefix("torch.")
    return tmp_path / "stored"


@case("C23", HALVED)
def test_only_the_update_trains_and_in_float32_whatever_the_base_is_stored_in(
    stored: Path, tmp_path: Path
):
    inputs = open_run(Setup(stored, 3), tmp_path / "run")

    result = sft.fit(inputs, fast(3))

    trained = proof.trainable(inputs.model)
    assert [name for name in trained if "lora_" not in name] == []
    assert {p.dtype for p in trained.values()} == {torch.float32}
    assert result.proof["optimizer"] == {"tensors": len(trained), "dtype": "float32"}


@contextmanager
def cast(model: Any) -> Iterator[None]:
    """TRL's bfloat16 is left as it is."""
    yield


AS_TRL = {
    "the update stays as TRL casts it": change(steps, "precision_kept", cast),
    "nobody sees that it does": unseen(change(steps, "precision_kept", cast)),
}


@case("C23", AS_TRL)
def test_update_of_a_base_in_four_bits_is_float32_in_the_optimizer(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    held: list[torch.Tensor] = []
    setup = Setup(tiny_llama, 3, adapter=qlora.Spec(rank=4), method=qlora)
    inputs = open_run(setup, tmp_path, lambda event: held.extend(in_optimizer()))
    made: list[Any] = []

    def kept(*given: Any) -> Any:
        made.append(make_trainer(*given))
        return made[-1]

    def in_optimizer() -> list[torch.Tensor]:
        optimizer = made[-1].optimizer if made else None
        groups = [] if optimizer is None else optimizer.param_groups
        return [parameter for group in groups for parameter in group["params"]]

    monkeypatch.setattr(fitting, "_trainer", kept)

    result = sft.fit(inputs, fast(3))

    assert held
    assert {p.dtype for p in held} == {torch.float32}
    assert set(map(id, held)) == set(map(id, proof.trainable(inputs.model).values()))
    assert result.proof["reload"]["largest_difference"] <= 1e-5


def test_plan_says_what_this_machine_computes_in(finished: TinyRecipe):
    plan = json.loads(finished.run.file("plan.json").read_text(encoding="utf-8"))

    assert (plan["resolved"]["device"], plan["resolved"]["dtype"]) == ("cpu", "float32")
    assert "the exact one" in plan["origins"]["resolved.dtype"]


def poison(inputs: FitInputs, token: int) -> None:
    """Make the model's reading of one token NaN."""
    with torch.no_grad():
        inputs.model.get_input_embeddings().weight[token] = float("nan")


def unlooked(self: SupervisedTrainer, inputs: Any, loss: torch.Tensor, divisor: float) -> None:
    count(self, inputs, torch.nan_to_num(loss), divisor)


LOSS = {"no loss is looked at": change(SupervisedTrainer, "_count", unlooked)}
GRADIENT = {
    "no gradient is looked at": change(Progress, "on_pre_optimizer_step", lambda *_, **__: None)
}
LOST = {"no checkpoint is kept": change(checkpoint, "commit", lambda *_, **__: None)}


@case("C23", LOSS | LOST)
def test_loss_that_is_not_finite_stops_at_its_step_and_keeps_the_last_good_checkpoint(
    tiny_gemma3: Path, tmp_path: Path
):
    steps: list[int] = []

    def spoil_after_two(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            steps.append(event["step"])
            if event["step"] == 2:
                poison(inputs, common)

    inputs = open_run(Setup(tiny_gemma3, 6, 2), tmp_path, spoil_after_two)
    common = inputs.rows[0].input_ids[0]  # the BOS, in every row

    with pytest.raises(DataError, match=r"loss is not finite at step 3 \(rows row-\d, row-\d\)"):
        sft.fit(inputs, fast(6, checkpoint_every=1))

    assert steps == [1, 2]
    kept, passed_over = checkpoint.newest_whole(tmp_path / "checkpoints")
    assert kept is not None and kept.name == "step-000002"
    assert passed_over == []


def rows_with(inputs: FitInputs, token: int) -> Sequence[str]:
    return [row.id for row in inputs.rows if token in row.input_ids]


@case("C23", LOSS)
def test_row_with_the_fault_is_the_one_named(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, 2, 1), tmp_path)
    unique = inputs.tokenizer.convert_tokens_to_ids("W")
    (guilty,) = rows_with(inputs, unique)
    poison(inputs, unique)

    with pytest.raises(DataError, match=rf"loss is not finite at step \d \(rows {guilty}\)"):
        sft.fit(inputs, fast(2))


@case("C23", GRADIENT)
def test_gradient_that_is_not_finite_stops_and_names_the_rows_of_its_step(
    tiny_llama: Path, tmp_path: Path
):
    def spoil_after_one(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            trained.register_hook(lambda gradient: gradient * float("inf"))

    inputs = open_run(Setup(tiny_llama, 3, 2), tmp_path, spoil_after_one)
    trained = next(iter(proof.trainable(inputs.model).values()))

    with pytest.raises(DataError, match="gradient is not finite at step 2") as error:
        sft.fit(inputs, fast(3))

    assert error.value.problems[0].what.count("row-") == 4  # both micro-batches of the step
    assert not inputs.run.file("adapter").exists()
