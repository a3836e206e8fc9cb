"""Checks of an answer's form that a program can decide, after IFEval.

Each is kept or not; nothing is corrected before the look (IFEval's strict reading), and an empty
answer keeps none.

Source: Zhou et al. (2023), "Instruction-Following Evaluation for Large Language Models", section 2
and table 1, arXiv 2311.07911. Chinese is counted in characters, its sentences end with 。！？.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from foundry.core.fields import Closed, Many, Refused
from foundry.core.language import gettext as _
from foundry.data import strict_json
from foundry.data.normalising import fold
from foundry.evals.units import units
from foundry.evals.writing import Language, writing

SENTENCE_END = re.compile(r"[。！？!?]+|\.(?=\s|$)|\n+")
BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
BULLET = re.compile(
    r"^[^\S\n]*(?:[-*+][^\S\n]|[•・●▪◦]|\d+[.)、．）](?!\d)|[（(]?[一二三四五六七八九十]+[、)）])",
    re.MULTILINE,
)
MARKDOWN = re.compile(
    r"^[^\S\n]{0,3}(?:#{1,6}[^\S\n]|>[^\S\n]?|[-*+][^\S\n]|```|~~~|\|.*\|[^\S\n]*$)"
    r"|\*\*[^\s*].*?\*\*|__[^\s_].*?__|`[^`\n]+`|!?\[[^\[\]\n]*\]\([^)\s]+\)",
    re.MULTILINE,
)
IN_LANGUAGE = 0.5
"""Least share of the language, as the evaluator `language` asks by default."""


class Range(Closed):
    """How many; both ends count."""

    min: int | None = Field(None, ge=0, description="Least number.")
    max: int | None = Field(None, ge=0, description="Largest number.")

    @model_validator(mode="after")
    def _is_some(self) -> Self:
        if self.min is None and self.max is None:
            raise Refused(_("the range has no end"), _("add `min` or `max` to it"))
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Refused(_("`min` is more than `max`"), _("exchange the two"))
        return self

    def holds(self, number: int) -> bool:
        """Whether `number` is in the range."""
        return (self.min or 0) <= number and (self.max is None or number <= self.max)


class Checks(Closed):
    """What an answer's form must be; a check that is absent asks nothing."""

    characters: Range | None = Field(None, description="Characters without white space.")
    words: Range | None = Field(
        None, description="Words and numbers; a Chinese character is a word, a mark is none."
    )
    sentences: Range | None = Field(
        None, description="Sentences: ended by 。！？!? or a full stop, or by the end of the line."
    )
    paragraphs: Range | None = Field(None, description="Paragraphs, with blank lines between.")
    bullets: Range | None = Field(
        None, description="Lines of a list: begun by -, *, •, a number or 一、."
    )
    contains: Many[str] = Field((), description="Texts that must all stand in the answer.")
    excludes: Many[str] = Field((), description="Texts none of which may stand in the answer.")
    keywords: dict[str, Range] = Field(
        default_factory=dict, description="How often a text must stand in the answer."
    )
    starts_with: str | None = Field(None, min_length=1, description="How the answer must begin.")
    ends_with: str | None = Field(None, min_length=1, description="How the answer must end.")
    json_only: bool = Field(
        False, description="The whole answer must be one JSON object or list, without a fence."
    )
    no_markdown: bool = Field(False, description="No headings, bold, lists, tables, code, links.")
    language: Language | None = Field(
        None, description="Language of the answer, by its script; Simplified counts against zh-TW."
    )


def kept(text: str, checks: Checks) -> dict[str, bool]:
    """Whether each check that is asked for holds, by name, in the order of `Checks`."""
    asked = {name: getattr(checks, name) for name in HOLDS if getattr(checks, name)}
    said = bool(text.strip())
    return {name: said and HOLDS[name](text, value) for name, value in asked.items()}


def sentences(text: str) -> int:
    """The number of sentences that say something."""
    return sum(1 for sentence in SENTENCE_END.split(text) if units(sentence))


def _paragraphs(text: str) -> int:
    return sum(1 for paragraph in BLANK_LINES.split(text) if paragraph.strip())


def _counted(text: str, keywords: Mapping[str, Range]) -> bool:
    folded = fold(text)
    return all(wanted.holds(folded.count(fold(word))) for word, wanted in keywords.items())


def _is_json(text: str, _asked: bool) -> bool:
    try:
        return isinstance(strict_json.parse(text), dict | list)
    except strict_json.JsonFault:
        return False


def _is_in(text: str, language: Language) -> bool:
    found = writing(text, language)
    return found.is_in_language(IN_LANGUAGE) and not found.simplified


HOLDS: Mapping[str, Callable[[str, Any], bool]] = {
    "characters": lambda text, wanted: wanted.holds(len("".join(text.split()))),
    "words": lambda text, wanted: wanted.holds(len(units(text))),
    "sentences": lambda text, wanted: wanted.holds(sentences(text)),
    "paragraphs": lambda text, wanted: wanted.holds(_paragraphs(text)),
    "bullets": lambda text, wanted: wanted.holds(len(BULLET.findall(text))),
    "contains": lambda text, wanted: all(fold(one) in fold(text) for one in wanted),
    "excludes": lambda text, wanted: not any(fold(one) in fold(text) for one in wanted),
    "keywords": _counted,
    "starts_with": lambda text, wanted: fold(text.strip()).startswith(fold(wanted)),
    "ends_with": lambda text, wanted: fold(text.strip()).endswith(fold(wanted)),
    "json_only": _is_json,
    "no_markdown": lambda text, _asked: MARKDOWN.search(text) is None,
    "language": _is_in,
}
