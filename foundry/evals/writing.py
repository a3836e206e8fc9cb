"""What a text is written in: its scripts, its Simplified characters, its mainland words.

This sees scripts, not languages: any text in Latin letters passes for English, and Cantonese or
classical Chinese in Traditional characters for Taiwan's Chinese.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from foundry.evals.answers import Item
from foundry.evals.taiwanese import Found, mainland_words, simplified_leaks
from foundry.evals.units import units

Language = Literal["zh-TW", "en"]

OWN = {"zh-TW": frozenset({"CJK", "BOPOMOFO"}), "en": frozenset({"LATIN"})}
BESIDE = {"zh-TW": frozenset({"LATIN", "GREEK"}), "en": frozenset({"GREEK"})}
"""Scripts that may stand in a text of the language: names and units in Latin, α and μ in Greek."""


@dataclass(frozen=True)
class Writing:
    """What was found in a text.

    `share` is the language's share of the units that have letters (1.0 where none has);
    `foreign` are the units in a script that has no place in the language, each once.
    """

    said: bool
    share: float
    foreign: tuple[str, ...]
    simplified: Found
    mainland: Found

    def is_in_language(self, least: float) -> bool:
        """Whether something is said, at least `least` of it in the language, and none foreign."""
        return self.said and self.share >= least and not self.foreign


def writing(text: str, language: Language, *, excused: Collection[str] = ()) -> Writing:
    """Look at `text`, asked for in `language`.

    Args:
        text: The answer.
        language: What it should be written in.
        excused: Units (`foundry.evals.units`) whose script does not count: those of the question
            and the reference, because a name is to be copied as it stands.
    """
    seen = units(text)
    letters = [(unit, scripts(unit)) for unit in seen if unit not in excused]
    own = sum(1 for _unit, found in letters if found and found <= OWN[language])
    others = sum(1 for _unit, found in letters if found and not found <= OWN[language])
    allowed = OWN[language] | BESIDE[language]
    chinese = language == "zh-TW"
    return Writing(
        said=bool(seen),
        share=own / (own + others) if own + others else 1.0,
        foreign=tuple(dict.fromkeys(unit for unit, found in letters if not found <= allowed)),
        simplified=simplified_leaks(text) if chinese else {},
        mainland=mainland_words(text) if chinese else {},
    )


def excused_units(item: Item) -> frozenset[str]:
    """The units of an item's prompt and reference answer that are no Chinese characters.

    A Chinese character excuses nothing: an English answer must not hold those of its question.
    """
    texts: Sequence[str] = [*(turn.content for turn in item.example.prompt), item.example.answer]
    return frozenset(u for text in texts for u in units(text) if "CJK" not in scripts(u))


def scripts(unit: str) -> frozenset[str]:
    """The scripts of its letters as Unicode names them: `CJK`, `LATIN`, `HIRAGANA`, `CYRILLIC`."""
    return frozenset(_script(c) for c in unit if unicodedata.category(c).startswith("L"))


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "UNKNOWN")
    return name.replace("-", " ").split()[0]
