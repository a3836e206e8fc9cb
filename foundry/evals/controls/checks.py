"""Whether an answer to a control question is right, by rules that need no judge."""

import re
import unicodedata
from collections.abc import Iterable

from foundry.evals.controls.items import LETTERS, Control
from foundry.evals.normalising import fold

# "B", "(b)", "B. Mars", "答案是 B", "The answer is: B"; not the article of "A long walk".
LETTER = re.compile(
    r"[\W_]*(?:(?:the )?(?:correct )?(?:answer|option)(?: is)?|(?:正確)?(?:答案|選項)(?:是|為)?)?"
    r"[\W_]*([a-d])(?![a-z])(?! +[a-z])",
)
LONE_LETTER = re.compile(r"(?<![a-z0-9'])[a-d](?![a-z0-9'])(?! +[a-z])")
FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
LONGEST_LINE = 100  # characters; more is no short answer
TRAILING_ZEROS = re.compile(r"\.0+$")


def is_right(control: Control, text: str) -> bool:
    """Whether `text` answers the question by the rule that its record has."""
    if control.choices:
        return chosen(control.choices, text) == control.answer
    if control.pattern:
        return re.fullmatch(control.pattern, _unfenced(text)) is not None
    if control.words:
        return all(_first(alternatives, text) is not None for alternatives in control.words)
    said = _first_line(control, text)
    if control.number and _numbers(said) - _numbers(control.question) == {control.number}:
        return True
    accepted, other = _first(control.accept, said), _first(control.not_before, said)
    return accepted is not None and (other is None or accepted < other)


def chosen(choices: Iterable[str], text: str) -> str | None:
    """The letter of the option that `text` names: by its letter in front, else by its words.

    None where it names none or several, as a text does that says the options again.
    """
    folded = fold(text)
    letter = LETTER.match(folded)
    if letter:
        return letter.group(1).upper() if len({*LONE_LETTER.findall(folded)}) == 1 else None
    pairs = zip(LETTERS, choices, strict=True)
    named = [x for x, words in pairs if _first([words], text) is not None]
    return named[0] if len(named) == 1 else None


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
