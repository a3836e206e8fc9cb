"""Moments as records write them, and the one that may be given instead of the clock's."""

import os
import re
import time
from datetime import UTC, datetime

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

VARIABLE = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/
LATEST = 253_402_300_799  # the last second of the year 9999


def utc(seconds: float) -> str:
    """A moment in seconds since 1970, as `2026-11-26T15:08:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def given() -> str | None:
    """The moment of `SOURCE_DATE_EPOCH`; None where it is not set.

    Raises:
        RecipeError: The variable is no count of seconds.
    """
    count = os.environ.get(VARIABLE)
    if not count:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", count) or int(count) > LATEST:
        what = _("not a count of seconds since 1970 ({found})").format(found=count)
        fix = _("unset it, or set it to what `git log -1 --format=%ct` prints")
        raise RecipeError(Problem(VARIABLE, what, fix))
    return utc(int(count))


def now() -> str:
    """This second; that of `SOURCE_DATE_EPOCH` where it is set.

    Raises:
        RecipeError: The variable is no count of seconds.
    """
    return given() or utc(time.time())
