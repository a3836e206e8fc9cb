"""The edit that puts a wrong value right; no edit is proposed that the field would refuse."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from foundry.core import scalars, yaml_places
from foundry.core.errors import RecipeError
from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.near import nearest
from foundry.core.yaml_places import NOWHERE, Node

# YAML 1.1 took these for truth values, and numbers are taken for them elsewhere.
TRUTHS = dict.fromkeys(("yes", "on", "1"), "true") | dict.fromkeys(("no", "off", "0"), "false")


def edit(
    key: str | None, details: Sequence[ErrorDetails], node: Node | None, field: FieldInfo | None
) -> str | None:
    """The edit, from what was meant if that can be told, else from the default.

    Args:
        key: The key of the value, or None for an item of a list.
        details: What pydantic says of the value; more than one for a union.
        node: What was written.
        field: The field at `key`, where one is known.
    """
    line = "{value}" if key is None else f"{key}: {{value}}"
    meant = _meant({detail["type"] for detail in details}, details, node)
    if meant is not None and _is_accepted(meant, field):
        return _("write `{line}`").format(line=line.format(value=meant))
    if node is not None and isinstance(node.value, dict) and details[0]["type"] == "tuple_type":
        return _("begin each item of the list with `- `")
    default = field.default if field else None
    if isinstance(default, bool | int | float | str):
        return _("write for example `{line}`").format(
            line=line.format(value=scalars.write(default))
        )
    return None


def wish(wanted: str, field: FieldInfo | None) -> str | None:
    """What to write where no single edit can be told."""
    if field is None or field.description is None:
        return None
    return _("write {wanted}: {about}").format(wanted=wanted, about=field.description)


def words(ctx: Mapping[str, Any]) -> list[str]:
    """The words of pydantic's `'linear', 'cosine' or 'constant'`; a number stands bare."""
    expected = str(ctx["expected"])
    return re.findall(r"'([^']*)'", expected) or [expected]


def _meant(kinds: set[str], details: Sequence[ErrorDetails], node: Node | None) -> str | None:
    """The value as it should have been written, where what was written leaves little doubt."""
    if node is None or not isinstance(node.value, bool | int | float | str):
        return None
    word = node.text.strip()
    if "tuple_type" in kinds:
        return f"[{scalars.write(node.value)}]"
    if "bool_type" in kinds and word.lower() in TRUTHS:
        return TRUTHS[word.lower()]
    if "literal_error" in kinds:
        choices = [w for d in details if d["type"] == "literal_error" for w in words(d["ctx"])]
        return nearest(word, choices) or (choices[0] if len(choices) == 1 else None)
    if "string_pattern_mismatch" in kinds:
        return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") or None
    if "string_type" in kinds:
        return f'"{word}"'
    if "dict_type" in kinds:
        return f"{{kind: {word}}}"
    return _meant_scalar(kinds, word)


def _meant_scalar(kinds: set[str], word: str) -> str | None:
    number = float(word) if scalars.NUMBER.fullmatch(word) else None
    if "int_type" in kinds and number is not None and abs(number) < 1e15 and number % 1 == 0:
        return str(int(number))
    return None


def _is_accepted(text: str, field: FieldInfo | None) -> bool:
    """Whether `text`, read as YAML, is a value the field takes; True where no field is known."""
    if field is None:
        return True
    try:
        value = yaml_places.read(text, lambda line, column: NOWHERE)[0].plain()
        one = create_model("One", __base__=Closed, value=(field.rebuild_annotation(), ...))
        one.model_validate({"value": value})
    except (RecipeError, ValidationError):
        return False
    return True
