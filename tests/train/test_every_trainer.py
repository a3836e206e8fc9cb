"""Trainers with every adapter, and some on every family: trained with all proofs green."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core import plugins
from foundry.core.records import Example
from foundry.models.fetch import locate
from foundry.train.adapters import lora
from foundry.train.inputs import FitInputs
from tests import preferences, tiny
from tests.once import once
from tests.support import covers
from tests.tiny_models import MODELS
from tests.tiny_run import ROWS, Setup, metrics, open_run
from tests.train.losses.test_grpo import LETTERS, SPELT, asking
from tests.train.test_adapters import NAMES, SIZES

STEPS = 3  # the first is the warmup, in which nothing moves
TEXTS = [
    Example(f"text-{n}", (), "texts.csv", n + 2, f"text-{n}", text=f"電風扇第{n}款售價三百元。")
    for n in range(8)
]
# A trainer that is not here is "untested" in docs/support.md. What kto and orpo have of their own
# is the formula; rows, reference and passes are those of dpo, which losses/test_preference.py
# takes with every adapter.
ROWS_OF: Mapping[str, Sequence[Example]] = {
    "sft": ROWS,
    "dpo": preferences.pairs(),
    "pretrain": TEXTS,
    "distill": ROWS,
    "grpo": SPELT,
}
FEW = {"max_steps": STEPS, "learning_rate": 1e-2, "global_batch_size": 4, "checkpoint_every": STEPS}


@pytest.fixture(scope="session")
def other(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of other weights, to learn from."""
    return once(tmp_path_factory, "other", lambda f: tiny.build(f, "llama", tied=False, seed=7))


def given(trainer: str, made: Setup, folder: Path, other: Path) -> tuple[FitInputs, dict[str, Any]]:
    """What the pipeline gives the trainer, and the settings that a recipe must have for it."""
    if trainer == "grpo":
        return asking(made, folder), {"rewards": [LETTERS], "group_size": 4, "max_new_tokens": 8}
    inputs = open_run(made, folder)
    if trainer == "distill":
        return replace(inputs, teacher=locate(str(other), folder)), {"teacher": str(other)}
    return inputs, {}


def train(trainer: str, inputs: FitInputs, **settings: Any) -> Any:
    """A few steps, and every proof; raises where one fails."""
    module = plugins.load("trainer", trainer)
    result = module.fit(inputs, module.Spec.model_validate({**FEW, **settings}))
    assert [line["step"] for line in metrics(inputs.run)] == [1, 2, 3]
    return result


@pytest.mark.slow
@covers(lambda trainer, kind: [{"trainer": trainer, "adapter": kind}])
@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("trainer", [name for name in ROWS_OF if name != "dpo"])
def test_every_adapter_is_trained(
    tiny_llama: Path, other: Path, tmp_path: Path, trainer: str, kind: str
):
    method = plugins.load("adapter", kind)
    made = Setup(
        tiny_llama, STEPS, adapter=method.Spec(**SIZES[kind]), method=method, rows=ROWS_OF[trainer]
    )

    inputs, settings = given(trainer, made, tmp_path, other)
    result = train(trainer, inputs, **settings)

    assert result.proof["moved"]


@pytest.mark.slow
@covers(lambda trainer, name: [{"trainer": trainer, "family": MODELS[name].family}])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trainer", ["sft", "dpo"])
def test_every_family_is_trained(one_thread: None, tmp_path: Path, trainer: str, name: str):
    folder = tiny.build(tmp_path / name, name, tied=False)
    small = lora.Spec(rank=4, alpha=64)
    # Some templates put a long system turn before every conversation.
    made = Setup(folder, STEPS, adapter=small, rows=ROWS_OF[trainer], max_seq_len=384)

    result = train(trainer, open_run(made, tmp_path / "run"))

    assert result.proof["moved"]
