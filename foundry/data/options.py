"""The options of a multiple-choice row, in any of the shapes that files have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from foundry.core.language import gettext as _
from foundry.data.rows import RowError, as_text, is_blank, type_name
from foundry.data.strict_json import JsonFault, parse

MOST = len(ascii_uppercase)


@dataclass(frozen=True)
class Option:
    """An option, and what the file itself calls it, if anything: `A` or `1`."""

    text: str
    label: str = ""


def read_options(row: Mapping[str, Any], where: str | Sequence[str]) -> list[Option]:
    """The options in order: from one column, or from a column each (blank ones at the end apart).

    One column holds a list of texts, the list as JSON text, `{A: …, B: …}`, or ARC's
    `{text: [...], label: [...]}`.

    Raises:
        RowError: No options there, fewer than two or more than 26, or one of them is blank.
    """
    if isinstance(where, str):
        options = _listed(row.get(where), where)
    else:
        options = [Option(as_text(row.get(name), name)) for name in where]
        while options and is_blank(options[-1].text):
            options.pop()
    if not 2 <= len(options) <= MOST:
        what = _("found {n} options, expected 2 to {most}")
        raise RowError("options", what.format(n=len(options), most=MOST))
    blank = next((n for n, option in enumerate(options) if is_blank(option.text)), None)
    if blank is not None:
        raise RowError(
            "options", _("option {letter} is empty").format(letter=ascii_uppercase[blank])
        )
    return options


def _listed(value: Any, field: str) -> list[Option]:
    try:
        found = parse(value) if isinstance(value, str) and not is_blank(value) else value
    except JsonFault as error:
        what = _("field `{field}`: {fault}").format(field=field, fault=error)
        raise RowError("options", what) from error
    if isinstance(found, list):
        return [Option(as_text(item, field)) for item in found]
    if not isinstance(found, Mapping):
        what = _("field `{field}`: found {found}, expected a list of options")
        raise RowError("options", what.format(field=field, found=type_name(found)))
    texts, labels = found.get("text"), found.get("label")
    if isinstance(texts, list) and isinstance(labels, list):
        if len(texts) != len(labels):
            raise RowError(
                "options", _("field `{field}`: not a label for each option").format(field=field)
            )
        pairs = zip(texts, labels, strict=True)
    else:
        pairs = ((text, label) for label, text in found.items())
    return [Option(as_text(text, field), as_text(label, field)) for text, label in pairs]
