"""`foundry/steps.json`: when and where each stage ran, whom it asked for, and when the package was
made.

Never the clock, so that two packages of one run are the same bytes: `SOURCE_DATE_EPOCH`, else what
the run recorded.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from foundry.core import network
from foundry.core.environment import country
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.rundir import STAGES, RunDir

NAME = "foundry/steps.json"
PACKAGE = "package"
TOLD = ("began", "ended", "country", "network")
# https://reproducible-builds.org/specs/source-date-epoch/
SETTING = "SOURCE_DATE_EPOCH"
LATEST = 253_402_300_799  # the last second of the year 9999


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
    chosen = os.environ.get(SETTING)
    return _second(chosen) if chosen else max(_times(stages, "ended"), default=None)


def _second(count: str) -> str:
    if not re.fullmatch(r"[0-9]{1,12}", count) or int(count) > LATEST:
        what = _("not a count of seconds since 1970 ({found})").format(found=count)
        fix = _("unset it, or set it to what `git log -1 --format=%ct` prints")
        raise RecipeError(Problem(SETTING, what, fix))
    return datetime.fromtimestamp(int(count), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(stages: Mapping[str, Any], key: str) -> list[str]:
    """Those of every stage but the plan's, whose stamp is written again while training begins."""
    times = [stage[key] for name, stage in stages.items() if name != "plan"]
    return [time for time in times if time is not None]
