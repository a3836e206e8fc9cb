"""Data files that were written to while a run read them: half of one state, half of another."""

from foundry.core import atomic
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import Plan
from foundry.data.places import require_inputs


def refuse_changed(loaded: LoadedRecipe, plan: Plan) -> None:
    """Refuse what was read if a data file no longer has the hash that the plan found.

    Raises:
        DataError: Names each file.
        ResourceError: One of them is gone.
    """
    now = {key: atomic.sha256(path) for key, path in require_inputs(loaded).items()}
    what = _("the file was changed while it was read")
    fix = _("run it again when nothing writes to the file any more")
    problems = [
        Problem(key, what, fix)
        for key in sorted(now.keys() | plan.inputs.keys())
        if now.get(key) != plan.inputs.get(key)
    ]
    if problems:
        raise DataError(problems)
