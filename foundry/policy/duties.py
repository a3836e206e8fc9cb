"""What a package must hold for the licences in play: each duty by itself, with its clause.

`notices.py` writes them; `missing` names every one that a package's folder lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foundry.core import atomic
from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.policy.conflicts import begins_with
from foundry.policy.licence import Licence, TextFile
from foundry.policy.use import Bound, binding

NOTICE = "NOTICE"
CHANGES = "CHANGES.md"
TERMS = "LICENCE.md"
TEXTS = "licences"
CARD = "README.md"
RECORD = "package.json"

Kind = Literal["text", "own-text", "sentence", "name"]


@dataclass(frozen=True)
class Duty:
    """One thing that must be in a package.

    Attributes:
        licence: Which asks for it.
        clause: Where; None where its number is not known.
        kind: A text that comes with the program; one that its owner brings; a sentence; a name.
        file: Where in the package it must be.
        wanted: The text's SHA-256; nothing; the sentence; how the name must begin.
    """

    licence: Licence
    clause: str | None
    kind: Kind
    file: str
    wanted: str

    def problem(self, what: str) -> Problem:
        """As it is told where it is not done; `what` may name `title` and `wanted`."""
        title = self.licence.title.text(language())
        said = _("{what} (clause not known)")
        if self.clause is not None:
            said = _("{what} (clause {clause})")
        asked = what.format(title=title, wanted=self.wanted)
        told = said.format(what=asked, clause=self.clause)
        fix = _("make the package again with `foundry train`")
        return Problem(self.file, told, fix)


def duties(bound: Sequence[Bound], exports: Sequence[str]) -> list[Duty]:
    """Every duty, each once.

    Args:
        bound: Every licence with a say.
        exports: Folders of the package that hold what was made of the base's files.
    """
    every = binding(bound)
    licences = list({one.licence.name: one.licence for one in every}.values())
    found = [duty for licence in licences for duty in _of_licence(licence, exports)]
    found += [duty for one in every for duty in _attributions(one)]
    return list({(d.file, d.wanted, d.clause, d.licence.name): d for d in found}.values())


def missing(package: Path, wanted: Sequence[Duty], model_name: str) -> list[Problem]:
    """The duties that a package's folder does not keep.

    Args:
        package: The folder.
        wanted: What `duties` found.
        model_name: What the package calls itself.
    """
    return [p for duty in wanted if (p := _missing(package, duty, model_name)) is not None]


def attribution_line(one: Bound) -> str:
    """How a source of data is named: its own statement, then its licence and address."""
    licence = one.licence
    where = ", ".join(filter(None, (licence.title.en, licence.url)))
    return f"{one.attribution or one.of} ({where})"


def ship_as(licence: Licence, text: TextFile) -> str:
    """Where a licence's text stands in a package."""
    return f"{TEXTS}/{text.ship_as}"


def _of_licence(licence: Licence, exports: Sequence[str]) -> Iterator[Duty]:
    clause = licence.clause
    for text in licence.text_files:
        asked = clause("ship_copy_of_terms")
        yield Duty(licence, asked, "text", ship_as(licence, text), text.sha256)
    if licence.lacks_text:
        file = f"{TEXTS}/{licence.name}.*"
        yield Duty(licence, clause("ship_copy_of_terms"), "own-text", file, "")
    if licence.notice is not None:
        yield Duty(licence, clause("notice"), "sentence", NOTICE, licence.notice)
    yield from _sentences(licence, exports)
    if licence.name_prefix is not None:
        yield Duty(licence, clause("name_prefix"), "name", RECORD, licence.name_prefix)


def _sentences(licence: Licence, exports: Sequence[str]) -> Iterator[Duty]:
    """What must be said, and where."""
    clause = licence.clause
    for sentence in licence.display:
        yield Duty(licence, clause("display"), "sentence", CARD, sentence)
    for said in licence.statements:
        for file in (NOTICE, CARD):
            for sentence in (said.zh_TW, said.en):
                yield Duty(licence, said.clause, "sentence", file, sentence)
    if licence.mark_changes:
        for export in exports:
            yield Duty(licence, clause("mark_changes"), "sentence", CHANGES, f"`{export}/`")
    for rule in (*licence.must, *licence.must_not, *licence.passthrough_terms):
        for sentence in (rule.zh_TW, rule.en):
            yield Duty(licence, rule.clause, "sentence", TERMS, sentence)


def _attributions(one: Bound) -> Iterator[Duty]:
    if one.role == "data" and one.licence.attribution:
        asked = one.licence.clause("attribution")
        yield Duty(one.licence, asked, "sentence", NOTICE, attribution_line(one))


def _missing(package: Path, duty: Duty, model_name: str) -> Problem | None:
    if duty.kind == "name":
        what = _("{title} wants the model's name to begin with `{wanted}`")
        return None if begins_with(model_name, duty.wanted) else duty.problem(what)
    if duty.kind == "own-text":
        found = [p for p in (package / TEXTS).glob(f"{duty.licence.name}.*") if p.stat().st_size]
        what = _("{title} asks for a copy of its text, which does not come with the program")
        return None if found else duty.problem(what)
    path = package / duty.file
    if duty.kind == "text":
        if not path.is_file():
            return duty.problem(_("{title} asks for a copy of its text"))
        if atomic.sha256(path) != duty.wanted:
            return duty.problem(_("this is not the text of {title} word for word"))
        return None
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if duty.wanted in text:
        return None
    if duty.file == CHANGES:
        return duty.problem(_("{title} asks for a statement of what was changed in {wanted}"))
    return duty.problem(_("{title} asks for this sentence: {wanted}"))
