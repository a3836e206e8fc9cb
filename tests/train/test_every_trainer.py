"""Every trainer on every family and with every adapter: trained with all proofs green."""

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
from tests.support import covers
from tests.tiny_models import MODELS
from tests.tiny_run import ROWS, Setup, metrics, open_run
from tests.train.losses.test_grpo import LETTERS, SPELT, asking
from tests.train.test_adapters import NAMES, RATES, SIZES

STEPS = 3  # the first is the warmup, in which nothing moves
TEXTS = [
    Example(f"text-{n}", (), "texts.csv", n + 2, f"text-{n}", text=f"電風扇第{n}款售價三百元。")
    for n in range(8)
]
# A trainer that is not here is "untested" in docs/support.md; losses/test_reward.py takes reward,
# and losses/test_preference.py takes dpo with every adapter.
ROWS_OF: Mapping[str, Sequence[Example]] = {
    "sft": ROWS,
    "dpo": preferences.pairs(),
    "kto": preferences.marked(),
    "orpo": preferences.pairs(),
    "pretrain": TEXTS,
    "distill": ROWS,
    "grpo": SPELT,
}
FEW = {"max_steps": STEPS, "learning_rate": 1e-2, "global_batch_size": 4, "checkpoint_every": STEPS}


# The others take families and adapters together, each adapter in its turn: there are more families.
OTHERS = ("kto", "orpo", "pretrain", "distill", "grpo")
KINDS = tuple(SIZES)
# From the fourth on: the experts of gpt-oss meet no adapter that wants them in four bits.
TURNS = [
    (trainer, name, KINDS[(first + place) % len(KINDS)])
    for first, trainer in enumerate(OTHERS, start=3)
    for place, name in enumerate(NAMES)
]
TURNS += [("grpo", "gemma4-conditional", "rslora")]  # its further input has another name


def given(trainer: str, made: Setup, folder: Path, name: str) -> tuple[FitInputs, dict[str, Any]]:
    """What the pipeline gives the trainer, and the settings that a recipe must have for it.

    Args:
        name: Of the base in `tiny_models.MODELS`; a teacher is of the same, with other weights.
    """
    if trainer == "grpo":
        return asking(made, folder), {"rewards": [LETTERS], "group_size": 4, "max_new_tokens": 8}
    inputs = open_run(made, folder)
    if trainer == "distill":
        other = tiny.build(folder.parent / "other", name, tied=False, seed=7)
        return replace(inputs, teacher=locate(str(other), folder)), {"teacher": str(other)}
    return inputs, {}


def train(trainer: str, inputs: FitInputs, **settings: Any) -> Any:
    """A few steps, and every proof; raises where one fails."""
    module = plugins.load("trainer", trainer)
    result = module.fit(inputs, module.Spec.model_validate({**FEW, **settings}))
    assert [line["step"] for line in metrics(inputs.run)] == [1, 2, 3]
    return result


@pytest.mark.slow
@covers(lambda kind: [{"trainer": "sft", "adapter": kind}])
@pytest.mark.parametrize("kind", SIZES)
def test_every_adapter_is_trained(tiny_llama: Path, tmp_path: Path, kind: str):
    method = plugins.load("adapter", kind)
    made = Setup(tiny_llama, STEPS, adapter=method.Spec(**SIZES[kind]), method=method)

    result = train("sft", open_run(made, tmp_path))

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


@pytest.mark.slow
@covers(
    lambda trainer, name, kind: [
        {"trainer": trainer, "family": MODELS[name].family, "adapter": kind}
    ]
)
@pytest.mark.parametrize(("trainer", "name", "kind"), TURNS)
def test_trainer_meets_every_family_and_adapter(
    one_thread: None, tmp_path: Path, trainer: str, name: str, kind: str
):
    folder = tiny.build(tmp_path / name, name, tied=False)
    method = plugins.load("adapter", kind)
    made = Setup(
        *(folder, STEPS),
        adapter=method.Spec(**SIZES[kind]),
        method=method,
        rows=ROWS_OF[trainer],
        max_seq_len=384,
    )

    inputs, settings = given(trainer, made, tmp_path / "run", name)
    # Two steps at the usual rate are lost in what Granite divides its logits by.
    result = train(trainer, inputs, learning_rate=5 * RATES.get(kind, 1e-2), **settings)

    assert result.proof["moved"]
