"""Whether an answer to a control question is right, by rules that need no judge."""

import re
import unicodedata
from collections.abc import Iterable

from foundry.data.normalising import fold, normalise
from foundry.evals.controls.items import Control

FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
LONGEST_LINE = 100  # characters; more is no short answer
TRAILING_ZEROS = re.compile(r"\.0+$")


def is_right(control: Control, text: str) -> bool:
    """Whether `text` answers the question by the rule that its record has."""
    if control.pattern:
        return re.fullmatch(control.pattern, _unfenced(text)) is not None
    if control.words:
        return all(_first(alternatives, text) is not None for alternatives in control.words)
    said = _first_line(control, text)
    if control.choices:
        return [choice for choice in control.choices if _names(said, choice)] == [control.reference]
    if control.number and _numbers(said) - _numbers(control.question) == {control.number}:
        return True
    accepted, other = _first(control.accept, said), _first(control.not_before, said)
    return accepted is not None and (other is None or accepted < other)


def _names(said: str, choice: str) -> bool:
    """Whether the option stands in the answer; in Chinese, spaces and commas do not count."""
    if choice.isascii():
        return _first([choice], said) is not None
    return normalise(choice) in normalise(said)


def _first_line(control: Control, text: str) -> str:
    """The first line of the answer proper; a question said again would answer many of them."""
    rest = fold(text)
    for line in sorted(fold(control.asked).splitlines(), key=len, reverse=True):
        rest = rest.replace(line, "") if line else rest
    lines = rest.strip().splitlines()
    return lines[0] if lines and len(lines[0]) <= LONGEST_LINE else ""


def _unfenced(text: str) -> str:
    """`text` without the Markdown fence that chat models put around code."""
    fenced = FENCE.fullmatch(text.strip())
    return (fenced.group(1) if fenced else text).strip()


def _numbers(text: str) -> set[str]:
    """The numbers written in digits; those a question gives are no answer to it.

    So `7 + 5 = 12` answers "7 + 5", and `10 11 12 13` does not.
    """
    digits = THOUSANDS.sub("", unicodedata.normalize("NFKC", text))
    return {TRAILING_ZEROS.sub("", number) for number in NUMBER.findall(digits)}


def _first(alternatives: Iterable[str], text: str) -> int | None:
    """Where the first of the alternatives stands; a word of letters only as a whole word."""
    folded = fold(text)
    places = [match.start() for one in alternatives if (match := _whole(one).search(folded))]
    return min(places, default=None)


def _whole(words: str) -> re.Pattern[str]:
    folded = fold(words)
    pattern = re.escape(folded)
    left = r"(?<![a-z0-9])" if folded[0].isascii() else ""
    right = r"(?![a-z0-9])" if folded[-1].isascii() else ""
    return re.compile(left + pattern + right)
