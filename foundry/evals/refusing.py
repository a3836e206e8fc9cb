"""Whether an answer refuses, by the phrases people and models refuse with.

What this sees is the wording at the start of an answer. It does not see a refusal in other words,
nor that an answer refuses in its first sentence and obeys in the next; a judge or a person does.

Tried on 1,900 real answers (alpaca_zh_demo, dpo_zh_demo, kto_en_demo): 19 were found, each of
which says that it cannot do what was asked, some with help after that. Of those that were not
found, read where they hold a word such as 无法, 抱歉 or sorry, one refused on moral grounds
(我不能改述). To say that the input is missing counts as a refusal only in some wordings.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache

from pydantic import Field

from foundry.core import facts, shipped
from foundry.core.facts import Fact
from foundry.core.fields import Closed, Many
from foundry.core.recipe import Text
from foundry.data.normalising import fold

WITHIN = 100
"""Characters in which a refusal must begin; ours: two or three sentences of either language."""
LONGEST = 200
"""Characters that a refusal may be long; the rest of an answer is not looked at."""


class Pattern(Closed):
    """A regular expression over the folded text, and an answer that it finds."""

    pattern: str = Field(min_length=1, description="In Python's syntax; Chinese in Traditional.")
    example: str = Field(min_length=1, description="A refusal that it finds.")


class Refusals(Fact):
    """The dated list of refusing phrases."""

    title: Text = Field(description="What is listed, for people.")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Day of the list.")
    source: str = Field(description="Where the phrases are from.")
    patterns: Many[Pattern] = Field(description="What refuses.")


@cache
def refusals() -> Refusals:
    """The list of `configs/refusals/general.yaml`."""
    return facts.read_folder(shipped.root() / "configs" / "refusals", Refusals)["general"]


def refusal(text: str, phrases: Sequence[str] = (), *, within: int = WITHIN) -> str | None:
    """The words with which `text` refuses, folded; None where it does not.

    Args:
        text: An answer.
        phrases: Further phrases that refuse, as they stand.
        within: The refusal must begin in so many characters.
    """
    folded = _folded(text.strip()[: within + LONGEST])
    starts = [match for pattern in _patterns() if (match := pattern.search(folded))]
    found = [(match.start(), match[0]) for match in starts]
    own = [(folded.find(phrase), phrase) for phrase in map(_folded, phrases) if phrase]
    found += [(place, phrase) for place, phrase in own if place >= 0]
    place, words = min(found, default=(within, ""))
    return words if place < within else None


def _folded(text: str) -> str:
    return fold(text).replace("’", "'").strip()


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    simplify = _simplify()
    texts = (one.pattern for one in refusals().patterns)
    return tuple(re.compile(f"{text}|{simplify(text)}") for text in texts)


def _simplify() -> Callable[[str], str]:
    from opencc import OpenCC

    return OpenCC("t2s").convert
