"""The chat templates that come with a base model: a stranger's code, so each is told by its hash.

They are run in a sandbox with bounds (`encode/render.py`); a hash lets a person see that a
template is the one that somebody looked at (C75).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundry.core.errors import ProofError, ResourceError
from foundry.core.language import gettext as _
from foundry.models import gguf_header
from foundry.models.load import family_template

KEY = "chat_template"
MORE = "additional_chat_templates"
GGUF_KEY = "tokenizer.chat_template"


def template_hashes(folder: Path, family: str) -> dict[str, str]:
    """Where each template stands -> SHA-256 of its text.

    A base without one is given that of its family, which TRL ships.

    Args:
        folder: A model folder that `check_folder` accepted.
        family: Its family plug-in.
    """
    found = dict(_in_folder(folder))
    lent = family_template(family)
    has_own = any(GGUF_KEY not in place for place in found)  # that of a GGUF is never rendered
    if lent is not None and not has_own:
        found[f"trl/{lent.name}"] = lent.read_text(encoding="utf-8")
    return {place: hashlib.sha256(text.encode()).hexdigest() for place, text in found.items()}


def _in_folder(folder: Path) -> Iterator[tuple[str, str]]:
    for path in [*sorted(folder.glob("*.jinja")), *sorted(folder.glob(f"{MORE}/*.jinja"))]:
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
    for path in sorted(folder.glob("*.json")):
        if b"chat_template" in (content := path.read_bytes()):
            value = json.loads(content)
            for name, text in _in_value(value.get(KEY) if isinstance(value, dict) else None):
                yield f"{path.name}: {name}", text
    for path in sorted(folder.glob("*.gguf")):
        for key, text in _in_gguf(path).items():
            if key.startswith(GGUF_KEY):
                yield f"{path.name}: {key}", text


def _in_gguf(path: Path) -> dict[str, str]:
    """The texts of a GGUF file that came with the base; nobody here can export it again."""
    try:
        return gguf_header.texts(path)
    except ProofError as error:
        problems = [replace(p, where=str(path), fix=_("fetch it again")) for p in error.problems]
        raise ResourceError(problems) from error


def _in_value(value: Any) -> Iterator[tuple[str, str]]:
    """One template, or a list of several with a name each."""
    if isinstance(value, str):
        yield KEY, value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and isinstance(item.get("template"), str):
                yield f"{KEY}.{item.get('name')}", item["template"]
