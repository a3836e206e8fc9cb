"""Show data files and their first rows: what is learned stands between ⟦ and ⟧."""

import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foundry.core.language import gettext as _

if TYPE_CHECKING:
    from foundry.planning.dry_render import DryRender

MOST = 400  # characters of a stretch of text; the middle of a longer one is left out
KEPT = ("\n", "\t", "\u200c", "\u200d")  # line ends, and what joins emoji and letters
Part = Mapping[str, Any]


def print_files(found: "DryRender") -> None:
    """Every file of a recipe, each with its first rows."""
    if not found.is_base_here:
        what = _("{base} is not on this machine yet, so the turns are shown without its template")
        print(what.format(base=found.base_model))
    for file in found.files:
        print_file(file.name, file.as_dict())
        for row in file.rows:
            print_row(row.as_dict(), found.max_seq_len)
    if found.more_files:
        print(_("{count} more files were not looked at").format(count=found.more_files))


def print_file(name: str, file: Mapping[str, Any]) -> None:
    """How a file is read: kind, encoding, format with its columns, and what else is in it."""
    from foundry.data import guess

    how = _("guessed from the columns") if file["guessed"] else _("as the recipe says")
    print(f"{visible(name)}: {file['kind']}, {file['encoding']}")
    print(f"  {visible(guess.shown(file['format']))}  ({how})")
    columns = ", ".join(visible(column) for column in file["columns"])
    print("  " + _("columns: {columns}").format(columns=columns))
    for notice in file["notices"]:
        print("  " + _("look at this: {notice}").format(notice=visible(notice)))


def print_row(row: Mapping[str, Any], max_seq_len: int) -> None:
    """A row with its number of tokens and what is learned of it."""
    print("  " + _heading(row, max_seq_len))
    _print_parts([{**part, "text": shortened(visible(part["text"]))} for part in row["parts"]])


def visible(text: str) -> str:
    """`text` with everything that a terminal would obey written out as its number."""
    return "".join(c if _is_shown(c) else f"\\u{ord(c):04x}" for c in text)


def shortened(text: str) -> str:
    """A long text without its middle."""
    if len(text) <= MOST:
        return text
    left_out = _("… ({count} characters) …").format(count=len(text) - MOST)
    return f"{text[: MOST // 2]} {left_out} {text[-MOST // 2 :]}"


def _is_shown(character: str) -> bool:
    if character in KEPT or character.isprintable():
        return True
    return unicodedata.category(character) == "Zs"  # such as the wide space of Chinese texts


def _heading(row: Mapping[str, Any], max_seq_len: int) -> str:
    if row["tokens"] is None:
        return _("line {line}:").format(line=row["line"])
    text = _("line {line}: {tokens} of {most} tokens:")
    if row["is_too_long"]:
        text = _("line {line}: {tokens} tokens, more than the {most} of `encode.max_seq_len`:")
    return text.format(line=row["line"], tokens=row["tokens"], most=max_seq_len)


def _print_parts(parts: Sequence[Part]) -> None:
    text = "".join(f"⟦{part['text']}⟧" if part["supervised"] else part["text"] for part in parts)
    lines = [f"    {line}" for line in text.rstrip("\n").split("\n")]
    if not sys.stdout.isatty():
        print("\n".join(lines))
        return
    from rich.console import Console
    from rich.text import Text

    shown = Text("\n".join(lines))
    shown.highlight_regex(r"(?s)⟦.*?⟧", "bold green")
    Console(soft_wrap=True).print(shown)
