"""The moment that a record names; one that may not change from build to build is given."""

import os
from datetime import UTC, datetime

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

VARIABLE = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/
FORM = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    """This second in UTC, as `2026-11-26T15:08:00Z`; that of `SOURCE_DATE_EPOCH` where it is set.

    Raises:
        RecipeError: The variable is no number of seconds.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return datetime.now(UTC).strftime(FORM)
    try:
        return datetime.fromtimestamp(int(given), UTC).strftime(FORM)
    except (ValueError, OverflowError, OSError) as error:
        what = _("must be a number of seconds since 1970 (got `{given}`)").format(given=given)
        fix = _("set it to whole seconds, or remove it from the environment")
        raise RecipeError(Problem(VARIABLE, what, fix)) from error
