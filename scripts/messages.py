"""Collect the program's sentences, carry them into the Chinese catalogue, compile it.

    python scripts/messages.py            write foundry.pot, foundry.po and foundry.mo
    python scripts/messages.py --missing  print the sentences that have no translation

A person edits `foundry/locale/zh_TW/LC_MESSAGES/foundry.po` between two runs. No date and no line
number is written, so that a run without a new sentence changes nothing.
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "foundry"
LOCALE = SOURCE / "locale"
TEMPLATE = LOCALE / "foundry.pot"
CHINESE = LOCALE / "zh_TW" / "LC_MESSAGES" / "foundry.po"
PLACE_OF_MESSAGE = {"_": 0, "N_": 0, "gettext_in": 1}
FIRST = datetime(2026, 11, 25, tzinfo=UTC)  # a fixed date keeps the files stable
WIDTH = 100


def sentences(path: Path) -> Iterator[str]:
    """What a file gives to `_`, `N_` or `gettext_in`, in order.

    Read from the syntax tree: Babel's own reader misses calls inside f-strings before Python 3.12.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = PLACE_OF_MESSAGE.get(node.func.id)
        if place is None or len(node.args) <= place:
            continue
        message = node.args[place]
        if isinstance(message, ast.Constant) and isinstance(message.value, str):
            yield message.value


def extract() -> Catalog:
    """Every sentence in `foundry/`, with the files it stands in."""
    catalog = Catalog(domain="foundry", project="AI Foundry", creation_date=FIRST, charset="utf-8")
    for path in sorted(SOURCE.rglob("*.py")):
        for sentence in sentences(path):
            catalog.add(sentence, None, [(path.relative_to(REPOSITORY).as_posix(), None)])
    return catalog


def translated(template: Catalog, path: Path = CHINESE) -> Catalog:
    """The Chinese catalogue with exactly the sentences of `template`."""
    if path.is_file():
        with path.open("rb") as stream:
            catalog = read_po(stream, locale="zh_TW", domain="foundry")
    else:
        catalog = Catalog(locale="zh_TW", domain="foundry")
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.project, catalog.version = "AI Foundry", "0"
    catalog.creation_date = catalog.revision_date = FIRST
    catalog.last_translator = catalog.language_team = "AI Foundry"
    catalog.copyright_holder, catalog.fuzzy = "Developers of AI Foundry", False
    catalog.header_comment = "# AI Foundry in Traditional Chinese as used in Taiwan."
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """The text of a .po or .pot file."""
    stream = BytesIO()
    write_po(stream, catalog, width=WIDTH, include_lineno=False, ignore_obsolete=True)
    return stream.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """The compiled catalogue that gettext reads; sentences without a translation are left out."""
    stream = BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


def missing(catalog: Catalog) -> Iterator[str]:
    """The sentences without a translation."""
    for message in catalog:
        if message.id and not message.string:
            yield str(message.id)


def main() -> int:
    """Write the three files, or list what lacks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--missing", action="store_true", help="print what is not translated")
    arguments = parser.parse_args()
    template = extract()
    chinese = translated(template)
    lacking = list(missing(chinese))
    if arguments.missing:
        print("\n".join(lacking))
        return 1 if lacking else 0
    CHINESE.parent.mkdir(parents=True, exist_ok=True)
    TEMPLATE.write_bytes(as_po(template))
    CHINESE.write_bytes(as_po(chinese))
    CHINESE.with_suffix(".mo").write_bytes(as_mo(chinese))
    print(f"{len(template)} sentences, {len(lacking)} without a translation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
