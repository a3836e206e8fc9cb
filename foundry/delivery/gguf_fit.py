"""Whether a GGUF file can be written on a base model: asked before training is paid for."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel
from foundry.delivery.gguf_tokenizer import is_known

Config = Mapping[str, Any]


def misfit(base: BaseModel) -> Problem | None:
    """Why `gguf` cannot be exported of this base; None if it can."""
    family = plugins.load("family", base.family)
    fix = _("export `merged` or `adapter` instead")
    if family.GGUF_ARCHITECTURE is None:
        what = _(
            "no GGUF file of the family `{family}` can be written yet; of these it can: {known}"
        )
        return Problem("gguf", what.format(family=base.family, known=", ".join(_capable())), fix)
    other = sorted(set(rope_types(_json(base, "config.json"))) - set(family.GGUF_ROPE_TYPES))
    if other:
        what = _("no GGUF file with rotary positions of the kind `{kind}` can be written yet")
        return Problem("gguf", what.format(kind=", ".join(other)), fix)
    if base.gguf is None and not is_known(_json(base, "tokenizer.json")):
        what = _("the tokenizer's kind is not known, so a GGUF file could split words differently")
        return Problem(
            "gguf", what, _("use a base that comes with a GGUF file, or export `merged`")
        )
    return None


def adapter_misfit(base: BaseModel) -> Problem | None:
    """Why `gguf-adapter` cannot be exported on this base; None if it can."""
    if found := misfit(base):
        return found
    if base.gguf is not None:
        return None
    what = _("the base model has no GGUF file for the adapter to be put on")
    return Problem("gguf-adapter", what, _("export `gguf` instead"))


def rope_types(config: Config) -> Iterator[str]:
    """The kinds of rotary positions in a `config.json`, old or new, of text or with images."""
    language = config.get("text_config", config)
    for key in ("rope_scaling", "rope_parameters"):
        found = language.get(key) or {}
        inner = [value for value in found.values() if isinstance(value, Mapping)]
        for one in inner or [found]:
            yield str(one.get("rope_type", one.get("type", "default")))


def _capable() -> list[str]:
    families = plugins.names("family")
    return [f for f in families if plugins.load("family", f).GGUF_ARCHITECTURE is not None]


def _json(base: BaseModel, name: str) -> dict[str, Any]:
    path = Path(base.folder) / name
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
