"""A whole model goes on from what it saved, whatever its file calls its tensors (C22, C66)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import ResourceError
from foundry.train import steps, validation
from foundry.train.adapter_files import check_loaded
from foundry.train.adapters import full
from foundry.train.inputs import FitInputs
from foundry.train.settings import BestBy
from foundry.train.trainers import sft
from tests import tiny
from tests.cases import case
from tests.encoders import examples
from tests.faults.training import at
from tests.tiny_run import Setup, fast, metrics, open_run
from tests.train.test_resume import Crash, at_step, crash

# The first two have other names in their files than here.
NAMES = ("gemma3-conditional", "ministral3", "llama")
STEPS, STOP = 6, 3
ROWS = examples([(f"第{n}題是什麼？", "甲乙丙丁"[: n % 4 + 1]) for n in range(8)])


@pytest.fixture(scope="module", params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("base") / "tiny", request.param)


def opened(folder: Path, path: Path, *listeners: Any) -> FitInputs:
    setup = Setup(folder, STEPS, method=full, adapter=full.Spec(), rows=ROWS)
    return open_run(setup, path, *listeners)


def settings(**more: Any) -> sft.Spec:
    return fast(STEPS, **{"learning_rate": 1e-3, "checkpoint_every": STOP, **more})


def weights(inputs: FitInputs) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in inputs.model.named_parameters()}


@contextmanager
def names_of_the_file(_model: Any) -> Iterator[None]:
    """A checkpoint is saved as the Trainer saves it."""
    yield


def as_the_trainer(*_given: Any) -> None:
    """Weights that find no place are only warned of, and so not heard of."""


def unheard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(steps, "own_names", names_of_the_file)
    patch.setattr(steps, "check_loaded", as_the_trainer)


@case("C66", {"a checkpoint has the names of the base's file": unheard})
def test_whole_model_goes_on_with_the_weights_that_it_saved(tmp_path: Path):
    folder = tiny.build(tmp_path / "tiny", NAMES[0])
    check_resumed(folder, tmp_path)


def test_whole_model_of_each_class_goes_on(folder: Path, tmp_path: Path):
    check_resumed(folder, tmp_path)


def check_resumed(folder: Path, tmp_path: Path) -> None:
    straight = opened(folder, tmp_path / "straight")
    sft.fit(straight, settings())
    with pytest.raises(Crash):
        sft.fit(opened(folder, tmp_path / "run", at_step(STOP + 1, crash)), settings())

    resumed = opened(folder, tmp_path / "run")
    sft.fit(resumed, settings())

    assert metrics(resumed.run) == metrics(straight.run)
    ours = weights(resumed)
    assert all(torch.equal(ours[name], p) for name, p in weights(straight).items())


def test_best_step_of_a_whole_model_is_what_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    losses = iter([2.0, 1.0, 3.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(validation, "validation_loss", lambda *_: next(losses))
    seen = dict[str, torch.Tensor]()
    inputs = opened(folder, tmp_path, at("checkpoint", 2, lambda: seen.update(weights(inputs))))
    inputs = replace(inputs, rows=inputs.rows[2:], validation=inputs.rows[:2])
    best = {"best_by": BestBy(metric="validation-loss"), "evaluate_every": 1, "checkpoint_every": 1}

    result = sft.fit(inputs, settings(**best))

    assert result.validation["kept_step"] == 2
    kept = weights(inputs)
    assert seen and all(torch.equal(kept[name], p) for name, p in seen.items())


def test_checkpoint_of_other_names_is_refused_and_not_begun_from_the_base(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that an earlier version wrote."""
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(steps, "own_names", names_of_the_file)
        sft.fit(opened(folder, tmp_path, at_step(STOP + 1, crash)), settings())

    again = opened(folder, tmp_path)
    if saved_names(tmp_path) <= again.model.state_dict().keys():  # its file has the same names
        sft.fit(again, settings())
        return
    with pytest.raises(ResourceError, match="are not those of this model"):
        sft.fit(again, settings())


def saved_names(path: Path) -> set[str]:
    from safetensors import safe_open

    file = path / "checkpoints" / f"step-{STOP:06d}" / "model.safetensors"
    with safe_open(file, framework="pt") as weights:
        return set(weights.keys())


def test_one_name_of_tied_weights_is_enough(tiny_gemma3: Path, tmp_path: Path):
    model = opened(tiny_gemma3, tmp_path).model
    names = model.state_dict().keys()

    check_loaded(model, [name for name in names if name == "lm_head.weight"], [])
    with pytest.raises(ResourceError, match=r"model\.norm\.weight"):
        check_loaded(model, ["model.norm.weight"], [])
    with pytest.raises(ResourceError, match="stranger"):
        check_loaded(model, [], ["stranger"])
