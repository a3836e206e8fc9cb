"""The trackers that a recipe may name under `track`, and the packages each needs."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Literal

from foundry.core.errors import Problem
from foundry.core.language import gettext as _

Tracker = Literal["tensorboard", "trackio", "mlflow", "wandb"]

MODULES: dict[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard",),
    "trackio": ("trackio",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "wandb": ("wandb",),
}
"""By tracker, what must be importable. MLflow keeps its local store in SQLite, for which the light
`mlflow-skinny` lacks the last two; its store of plain files is refused since 3.17."""


def missing(trackers: Iterable[str]) -> list[Problem]:
    """A problem for each tracker whose package is not installed, with the command that installs."""
    what = _("{tracker} is not installed")
    return [
        Problem(
            f"track: {tracker}",
            what.format(tracker=tracker),
            f"pip install 'ai-foundry[{tracker}]'",
        )
        for tracker in dict.fromkeys(trackers)
        if any(find_spec(module) is None for module in MODULES[tracker])
    ]
