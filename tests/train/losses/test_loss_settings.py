"""What a recipe says of a loss is what is trained by: `Spec` through `fit`, and the objective."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core import plugins
from foundry.models.quiet import quiet
from foundry.train import fitting
from foundry.train.losses.bradley_terry import BradleyTerry
from foundry.train.losses.pairs import Pairs
from foundry.train.losses.unpaired import Unpaired
from tests.preferences import fit, opened
from tests.tiny_run import metrics


def odds(beta: float) -> Any:
    """Imported late, since TRL warns of its trainer, which `quiet` keeps still."""
    from foundry.train.losses.odds import Odds

    return Odds(beta)


SAID: dict[str, tuple[str, dict[str, Any], Callable[[], Any]]] = {
    "dpo": ("dpo", {"loss": "ipo", "beta": 0.4}, lambda: Pairs("ipo", 0.4, 0.0)),
    "dpo, smoothed": (
        "dpo",
        {"loss": "robust", "beta": 0.3, "label_smoothing": 0.2},
        lambda: Pairs("robust", 0.3, 0.2),
    ),
    "dpo, smoothing of its formula": ("dpo", {"loss": "robust"}, lambda: Pairs("robust", 0.1, 0.1)),
    "kto": (
        "kto",
        {"beta": 0.3, "desirable_weight": 1.5, "undesirable_weight": 0.5},
        lambda: Unpaired("kto", 0.3, 1.5, 0.5),
    ),
    "kto from 0": (
        "kto",
        {"loss": "apo_zero_unpaired"},
        lambda: Unpaired("apo_zero_unpaired", 0.1, 1.0, 1.0),
    ),
    "orpo": ("orpo", {"beta": 0.6}, lambda: odds(0.6)),
    "reward": ("reward", {"center_rewards_coefficient": 0.5}, lambda: BradleyTerry(0.5)),
}


def losses(run: Any) -> list[float]:
    return [line["loss"] for line in metrics(run)]


@pytest.mark.parametrize("name", SAID)
def test_settings_of_the_recipe_reach_the_loss(name: str, tiny_llama: Path, tmp_path: Path):
    kind, said, objective = SAID[name]
    usual, asked, by_hand = (opened(kind, tiny_llama, tmp_path / one, steps=6) for one in "abc")
    spec = {"max_steps": 6, "learning_rate": 2e-2, "global_batch_size": 4, "checkpoint_every": 100}

    fit(kind, usual, learning_rate=2e-2)
    fit(kind, asked, learning_rate=2e-2, **said)
    with quiet():
        fitting.fit(by_hand, plugins.load("trainer", kind).Spec(**spec), objective())

    assert losses(asked.run) == losses(by_hand.run)
    assert losses(asked.run) != losses(usual.run)
