"""The JSON files of a model folder that we read ourselves; what cannot be in one is told (C71)."""

import json
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _

MOST_SHOWN = 80  # characters of a wrong value


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ResourceError: It is not JSON, or another value than an object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        what = _("not a JSON file ({error})").format(error=type(error).__name__)
        raise ResourceError(Problem(str(path), what, _("fetch it again"))) from error
    if not isinstance(value, dict):
        what = _("must be a JSON object (found: {found})").format(found=type(value).__name__)
        raise ResourceError(Problem(str(path), what, _("fetch it again")))
    return value


def refused(path: Path, key: str, wanted: str, found: Any) -> ResourceError:
    """The error for a key whose value cannot be; `wanted` says what it must be."""
    what = _("`{key}` must be {wanted} (found: {found})")
    shown = json.dumps(found, ensure_ascii=False)[:MOST_SHOWN]
    what = what.format(key=key, wanted=wanted, found=shown)
    return ResourceError(Problem(str(path), what, _("fetch it again")))
