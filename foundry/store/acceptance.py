"""Which terms a person accepted: once for each base model and text, with date and name.

Kept in the user's own settings, `accepted-terms.json` under `XDG_CONFIG_HOME` (or `~/.config`),
so that nobody accepts for another. A text that changed has another hash and is asked for again.
"""

import getpass
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.policy.licence import Licence

NAME = "accepted-terms.json"
LOCK_S = 30.0  # a writer holds the lock for milliseconds


def file() -> Path:
    """Where what this user accepted is kept."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return (Path(chosen) if chosen else Path.home() / ".config") / "foundry" / NAME


def text_sha256(licence: Licence, texts: Mapping[str, Path]) -> str:
    """The hash of what is accepted: the licence's texts; where none are held, our words on it.

    Args:
        licence: The licence.
        texts: Name of a licence -> a file with its text, where a recipe names one.
    """
    held = sorted(text.sha256 for text in licence.text_files)
    if licence.name in texts:
        held.append(atomic.sha256(texts[licence.name]))
    rules = [r.model_dump(mode="json") for r in (*licence.may, *licence.must, *licence.must_not)]
    return atomic.fingerprint(held or rules)


def remembered(base: BaseModel, licences: Iterable[Licence], texts: Mapping[str, Path]) -> set[str]:
    """Names of the licences that were accepted for this base model and these very texts."""
    wanted = {(_key(base), x.name, text_sha256(x, texts)): x.name for x in licences}
    seen = {(entry["base"], entry["licence"], entry["text_sha256"]) for entry in entries()}
    return {name for key, name in wanted.items() if key in seen}


def remember(base: BaseModel, licences: Iterable[Licence], texts: Mapping[str, Path]) -> None:
    """Keep that the licences were accepted for a base model, now and by whoever runs this.

    What was accepted before keeps its date.
    """
    already = remembered(base, licences := list(licences), texts)
    new = [x for x in licences if x.name not in already]
    if not new:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_S):
        added = [
            {
                "base": _key(base),
                "licence": x.name,
                "text_sha256": text_sha256(x, texts),
                "accepted_on": now,
                "by": _user(),
            }
            for x in new
        ]
        atomic.write_json(path, {"accepted": [*entries(), *added]})


def entries() -> list[dict[str, Any]]:
    """Everything this user accepted, oldest first.

    Raises:
        ResourceError: The file is not what was written.
    """
    path = file()
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["accepted"]
        return [dict(entry) for entry in found if entry["base"] and entry["text_sha256"]]
    except (ValueError, KeyError, TypeError) as error:
        what = _("the list of accepted terms cannot be read ({error})").format(error=error)
        fix = _("remove it, and accept the terms again")
        raise ResourceError(Problem(str(path), what, fix)) from error


def _key(base: BaseModel) -> str:
    """A base model's name; for one in a folder its weights, since folders are called anything."""
    return base.hub_id or f"{base.name}@{base.sha256[:16]}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a number and no name
        return f"uid {os.getuid()}"
