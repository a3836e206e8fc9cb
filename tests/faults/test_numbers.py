"""Numbers that are none: a run stops at the step, and no file with them is read or packed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core import atomic
from foundry.core.errors import DataError, ProofError, ResourceError
from foundry.core.events import Event
from foundry.core.rundir import RunDir
from foundry.models import finite
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import checkpoint
from foundry.train.adapter_files import WEIGHTS, load_tuned
from foundry.train.losses.supervised import SupervisedTrainer
from foundry.train.progress import Progress
from tests.cases import change
from tests.faults import small, training
from tests.faults.table import ended, fault
from tests.tiny_recipe import TinyRecipe

count = SupervisedTrainer._count


def spoil(held: list[Any], value: float) -> Callable[[Event], None]:
    """A listener that makes a trained number no number when step 3 is told."""

    def at_step(event: Event) -> None:
        if event["event"] == "step" and event["step"] == 3:
            trained = [p for p in held[0].model.parameters() if p.requires_grad]
            with torch.no_grad():
                trained[1].view(-1)[0] = value

    return at_step


def counted_without_looking(self: Any, inputs: Any, loss: Any, divisor: float) -> None:
    """As a Trainer that takes a lost step for one of loss 0."""
    count(self, inputs, torch.nan_to_num(loss, 0.0, 0.0, 0.0), divisor)


def filtered(patch: pytest.MonkeyPatch) -> None:
    """What `logging_nan_inf_filter` of transformers does: the loss is 0, and nobody stops."""
    patch.setattr(SupervisedTrainer, "_count", counted_without_looking)
    patch.setattr(SupervisedTrainer, "end_step", lambda *_: 0.0)
    patch.setattr(Progress, "on_pre_optimizer_step", lambda *_, **__: None)


@fault("17", {"lost steps count as loss 0": filtered})
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_no_number_stops_the_run_at_its_step(
    tiny_llama: Path, tmp_path: Path, value: float
):
    held: list[Any] = []
    held.append(training.opened(tiny_llama, tmp_path / os.urandom(4).hex(), spoil(held, value)))
    (inputs,) = held

    told = ended(lambda: training.fit(inputs))

    assert isinstance(told, DataError) and told.exit_code == 1, repr(told)
    assert "is not finite at step 4 (rows " in str(told)
    assert any(row.id in str(told) for row in inputs.rows)
    folder = inputs.run.file("checkpoints")
    assert training.saved(inputs.run) == ["step-000002"]
    assert checkpoint.newest_whole(folder) == (folder / "step-000002", [])


@fault("17", {"it is saved": change(Progress, "_refuse_non_finite", lambda *_: None)})
def test_update_that_overflowed_is_not_saved(tiny_llama: Path, tmp_path: Path):
    held: list[Any] = []
    path = tmp_path / os.urandom(4).hex()
    held.append(training.opened(tiny_llama, path, spoil(held, float("inf"))))

    told = ended(lambda: training.fit(held[0], checkpoint_every=3))

    assert isinstance(told, DataError) and "update is not finite at step 3" in str(told), repr(told)
    assert training.saved(held[0].run) == []


def poison(path: Path, value: float) -> str:
    """Make one number of a safetensors file none; the name of its tensor."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    name = sorted(tensors)[-1]
    tensors[name].view(-1)[-1] = value
    save_file(tensors, path, metadata={"format": "pt"})
    return name


UNSEEN = {"nobody looks": change(finite, "non_finite", lambda _tensors: [])}


@fault("18", UNSEEN)
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_base_with_weights_that_are_no_numbers_is_refused(
    tiny_llama: Path, tmp_path: Path, value: float
):
    folder = Path(shutil.copytree(tiny_llama, tmp_path / os.urandom(4).hex()))
    poison(folder / "model.safetensors", value)

    told = ended(lambda: load_model(locate(str(folder), tmp_path)))

    assert isinstance(told, ResourceError) and str(folder) in str(told), repr(told)
    assert "not finite numbers" in str(told) and "foundry model fetch" in str(told)


@fault("18", UNSEEN)
def test_adapter_with_weights_that_are_no_numbers_is_refused(
    tiny_llama: Path, straight: RunDir, tmp_path: Path
):
    folder = Path(shutil.copytree(straight.file("adapter"), tmp_path / os.urandom(4).hex()))
    name = poison(folder / WEIGHTS, float("nan"))

    told = ended(lambda: load_tuned(locate(str(tiny_llama), tmp_path), folder))

    assert isinstance(told, ProofError) and name in str(told), repr(told)


@fault("18", UNSEEN)
def test_export_with_weights_that_are_no_numbers_is_not_packed(finished: TinyRecipe):
    """The export lists the hash of the spoilt file as its own, as if it had been made so."""
    recipe = finished.copy(finished.folder.parent / os.urandom(4).hex())
    run = recipe.run
    file = run.file("exports", "adapter", WEIGHTS)
    before = atomic.sha256(file)
    poison(file, float("nan"))
    for record in (run.file("exports", "exports.json"), run.file("stamps", "export.json")):
        text = record.read_text(encoding="utf-8").replace(before, atomic.sha256(file))
        record.write_text(text, encoding="utf-8")
    stamp = run.file("stamps", "export.json")
    listing = atomic.sha256(run.file("exports", "exports.json"))
    import json

    values = json.loads(stamp.read_text(encoding="utf-8"))
    values["outputs"]["exports/exports.json"] = listing
    stamp.write_text(json.dumps(values), encoding="utf-8")
    atomic.remove(recipe.package)

    outcome = small.told(recipe)

    assert outcome.code == 1, outcome
    assert "not finite numbers" in small.problems(outcome)
    assert not recipe.package.exists()
