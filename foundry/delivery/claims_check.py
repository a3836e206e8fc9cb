"""Whether the numbers on a package's cards are those of its evidence, and all of them are.

Each is drawn again from its file. A card's number without a claim is named too; so is a claim that
says something else than its file does.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from foundry.core import secrets
from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.core.recipe import Words
from foundry.core.yaml_places import value_of
from foundry.delivery import claims, sums
from foundry.delivery.claims import DIGIT, SHOWN, WORDING, YAML, shown
from foundry.delivery.json_path import resolve

MAX_BYTES = 64 << 20  # ours have a few MB; a package may come from anyone
MOST = 12  # problems of one card

Place = Annotated[int, Field(ge=1)]


class Stands(Closed):
    """Where something with a digit stands on a card."""

    file: Words
    line: Place
    column: Place
    text: Words

    @property
    def where(self) -> str:
        """As problems name it."""
        return f"{self.file}:{self.line}:{self.column}"


class Claimed(Stands):
    """One claim; see `claims.Claim`."""

    evidence: Words
    path: Words
    value: Any
    shown: Words


class Card(Closed):
    """A card, and how many lines it had."""

    file: Words
    lines: Place


class ClaimsFile(Closed):
    """The whole of `claims.json`."""

    schema_version: Literal[1]
    cards: Many[Card]
    claims: Many[Claimed]
    wording: Many[Stands]


def problems(package: Path, cards: Sequence[str]) -> Iterator[Problem]:
    """Each number on the cards that its evidence does not bear out.

    Args:
        package: A package's folder, from anyone.
        cards: The files in it whose numbers must have evidence.
    """
    text = _read(package, claims.NAME)
    if text is None:
        yield Problem(claims.NAME, _("missing, or not a file of the expected kind"), sums.again())
        return
    try:
        told = ClaimsFile.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        yield Problem(claims.NAME, _("not in its form ({error})").format(error=said), sums.again())
        return
    yield from _evidence_problems(package, told.claims)
    for card in told.cards:
        yield from islice(_card_problems(package, card, told), MOST)
    for name in sorted({card.file for card in told.cards} ^ {*cards}):
        yield Problem(
            claims.NAME,
            _("must tell of {cards} ({name})").format(cards=", ".join(cards), name=name),
        )
    for word in sorted({one.text for one in told.wording} - WORDING):
        what = _("a number without evidence ({text})")
        yield Problem(claims.NAME, what.format(text=word), sums.again())


def _evidence_problems(package: Path, told: Sequence[Claimed]) -> Iterator[Problem]:
    """Claims that their files do not bear out."""
    read: dict[str, Any] = {}
    for one in told:
        if one.evidence not in read:
            read[one.evidence] = _json(package, one.evidence)
        where = f"{one.evidence}: {one.path}"
        try:
            value = resolve(read[one.evidence], one.path)
        except (LookupError, TypeError, ValueError):
            what = _("`{text}` in {card} rests on this value, which is not there")
            yield Problem(where, what.format(text=one.text, card=one.where), sums.again())
            continue
        if value != one.value or not _says(one):
            what = _("`{text}` in {card} was drawn from {claimed}, and here stands {found}")
            said = {"claimed": _short(one.value), "found": _short(value)}
            yield Problem(where, what.format(text=one.text, card=one.where, **said), sums.again())


def _says(one: Claimed) -> bool:
    """Whether a claim's text is what its value looks like."""
    try:
        if one.shown == YAML:
            return bool(value_of(one.text) == one.value)
        return one.shown in SHOWN and shown(one.shown, one.value) == one.text
    except (RecipeError, TypeError, ValueError, ArithmeticError, RecursionError):
        return False


def _card_problems(package: Path, card: Card, told: ClaimsFile) -> Iterator[Problem]:
    """What stands elsewhere on a card than its claims say, or without a claim."""
    text = _read(package, card.file)
    if text is None:
        yield Problem(card.file, _("missing, or not a file of the expected kind"), sums.again())
        return
    lines, rest = text.split("\n"), text.split("\n")
    standing = sorted(
        (one for one in (*told.claims, *told.wording) if one.file == card.file),
        key=lambda one: (one.line, one.column),
    )
    added, shift, wrong = len(lines) - card.lines, 0, list[Stands]()
    for number, group in groupby(standing, key=lambda one: one.line):
        row = list(group)
        if added and not any(_stands(one, lines, number + shift) for one in row):
            shift = added  # everything below a line that was put in or taken out
        away = [one for one in row if not _stands(one, lines, number + shift)]
        wrong += away[:1]  # a number that is longer or shorter moves those behind it
        for one in (one for one in row if one not in away):
            _blank(rest, number + shift, one)
    yield from (Problem(one.where, _changed(one, lines), sums.again()) for one in wrong)
    if added:
        what = _("lines were put in or taken out since the card was made ({count})")
        yield Problem(card.file, what.format(count=f"{added:+}"), sums.again())
    if not wrong:
        yield from _unclaimed(card.file, rest)


def _stands(one: Stands, lines: Sequence[str], number: int) -> bool:
    """Whether a claim's text stands in a line, with no digit before or behind it."""
    text = "\n".join(lines[number - 1 : number + one.text.count("\n")])
    at, end = one.column - 1, one.column - 1 + len(one.text)
    beside = text[max(0, at - 1) : at] + text[end : end + 1]
    return text[at:end] == one.text and not DIGIT.search(beside)


def _blank(rest: list[str], number: int, one: Stands) -> None:
    """Take a claim's text out of the lines."""
    for index, part in enumerate(one.text.split("\n"), start=number - 1):
        at = one.column - 1 if index == number - 1 else 0
        rest[index] = rest[index][:at] + " " * len(part) + rest[index][at + len(part) :]


def _changed(one: Stands, lines: Sequence[str]) -> str:
    line = lines[one.line - 1] if one.line <= len(lines) else ""
    found = re.match(r"[^\s\[\](),;|]*", line[one.column - 1 :])
    what = _("this number was changed: here stands `{found}`, its claim is `{text}` ({evidence})")
    evidence = f"{one.evidence}: {one.path}" if isinstance(one, Claimed) else claims.NAME
    stands = secrets.mask(found.group()) if found else ""
    return what.format(found=stands, text=one.text, evidence=evidence)


def _unclaimed(card: str, rest: Sequence[str]) -> Iterator[Problem]:
    for number, line in enumerate(rest, start=1):
        for match in re.finditer(r"\S*\d\S*", line):
            what = _("a number without evidence ({text})")
            what = what.format(text=secrets.mask(match.group()))
            yield Problem(f"{card}:{number}:{match.start() + 1}", what, sums.again())


def _json(package: Path, name: str) -> Any:
    text = _read(package, name)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read(package: Path, name: str) -> str | None:
    """A file's text; None where it is no plain file inside the package, or too large."""
    path = package / name
    is_plain = sums.is_inside(name) and path.is_file() and not path.is_symlink()
    if not is_plain or path.stat().st_size > MAX_BYTES:
        return None
    return path.read_bytes().decode("utf-8", errors="replace")


def _short(value: Any) -> str:
    text = secrets.mask(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else text[:59] + "…"
