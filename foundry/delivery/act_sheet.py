"""The sheet on the AI Basic Act, `ai_basic_act.md`: what a package shows for each principle.

Facts on the act and how well each is known are in the package too, in `foundry/ai_basic_act.json`.
"""

from collections.abc import Mapping
from typing import Any

from foundry.delivery.card import LANGUAGES, template
from foundry.delivery.claims import Found, Writer, by, plain
from foundry.delivery.json_path import resolve

NAME = "ai_basic_act.md"


def act_sheet(sources: Mapping[str, Found], writer: Writer) -> str:
    """The text of the sheet, with the marks of `claims.py`.

    Args:
        sources: The package's JSON files by their short names, as `documents.py` has them.
        writer: Keeps account of the numbers.
    """
    files = {found._file: found for found in sources.values()}
    act = sources["act"]
    values = {
        **sources,
        "asked": [_answered(one, files) for one in act["asked"]],
        "principles": [_answered(one, files) for one in act["principles"]],
    }
    return "\n".join(writer.render(template("act_sheet", name), values) for name in LANGUAGES)


def _answered(asked: Found, files: Mapping[str, Found]) -> dict[str, Any]:
    """What is asked, with each place that shows something for it."""
    shown = [
        {"file": one["file"], "path": one["path"], "about": one["about"], "value": value}
        for one in asked["shown"]
        if (value := _value(one, files)) is not None
    ]
    return {"title": asked["title"], "shown": shown}


def _value(shown: Found, files: Mapping[str, Found]) -> Any:
    """What stands there: a value, how many, nothing for a whole file; None where it is not there.

    A file that is no JSON is always in a package.
    """
    file, path = plain(shown["file"]), plain(shown["path"])
    if path is None:
        return ""
    try:
        value = resolve(plain(files[file]), path)
    except LookupError:
        return None
    if value is None or value in ("", [], {}):
        return None
    rule = "how many" if isinstance(value, list | dict) else "one line"
    return by(Found(file, value, path), rule)
