"""`foundry/steps.json`: when and where each stage ran, whom it asked for, and when the package was
made.

Never the clock, so that two packages of one run are the same bytes: `SOURCE_DATE_EPOCH`, else what
the run recorded.
"""

from collections.abc import Mapping
from typing import Any

from foundry.core import moment, network
from foundry.core.environment import country
from foundry.core.rundir import STAGES, RunDir

NAME = "foundry/steps.json"
PACKAGE = "package"
TOLD = ("began", "ended", "country", "network")


def record(run: RunDir) -> dict[str, Any]:
    """What the run's stamps say of its stages; the stage that makes the package is not over yet.

    Raises:
        RecipeError: `SOURCE_DATE_EPOCH` is not a count of seconds.
    """
    stamps = {stage: run.stamp(stage) for stage in STAGES if stage != PACKAGE}
    stages: dict[str, Any] = {
        stage: {key: stamp.get(key) for key in TOLD} for stage, stamp in stamps.items() if stamp
    }
    own = {"began": None, "ended": None, "country": country(), "network": network.now()}
    return {"made": _made(stages), "stages": {**stages, PACKAGE: own}}


def began(steps: Mapping[str, Any]) -> str | None:
    """When the first stage began, UTC; None where that is not recorded."""
    return min(_times(steps["stages"], "began"), default=None)


def ended(steps: Mapping[str, Any]) -> str | None:
    """When the last stage before the package ended."""
    return max(_times(steps["stages"], "ended"), default=None)


def _made(stages: Mapping[str, Any]) -> str | None:
    return moment.given() or max(_times(stages, "ended"), default=None)


def _times(stages: Mapping[str, Any], key: str) -> list[str]:
    """Those of every stage but the plan's, whose stamp is written again while training begins."""
    times = [stage[key] for name, stage in stages.items() if name != "plan"]
    return [time for time in times if time is not None]
