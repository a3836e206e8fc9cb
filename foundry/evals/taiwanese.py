"""Simplified characters and mainland words in a text that should be written as in Taiwan.

A character leaks if it is outside Big5's first level (the everyday characters of Taiwan), OpenCC
makes another one of it on the way to Traditional and leaves it alone on the way to Simplified.
That leaves in peace 台 里 后 干 and the others that both writings have; what they spell in
Simplified alone (什么, 以后), and mainland words, are listed with dates and sources in
`configs/vocabulary/mainland.yaml`.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

from pydantic import Field

from foundry.core import facts, shipped
from foundry.core.facts import Fact
from foundry.core.fields import Closed, Many
from foundry.core.recipe import Text

BIG5_LEVEL_1 = range(0xA4, 0xC7)
"""Lead bytes of Big5's first level, in order of strokes: Lunde (2009), "CJKV Information
Processing", chapter 3."""
HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

Found = Mapping[str, str]
"""What leaked, as it stands in the text, and how Taiwan writes it."""


class Word(Closed):
    """A word and Taiwan's for it; no leak inside one of the longer texts `unless`."""

    word: str = Field(min_length=1, description="In Traditional characters, or as it leaks.")
    taiwan: str = Field(min_length=1, description="What Taiwan says or writes.")
    source: str | None = Field(None, description="Key of `sources`.")
    unless: Many[str] = Field((), description="Texts that hold the characters rightly.")


class Vocabulary(Fact):
    """The dated list of what leaks."""

    title: Text = Field(description="What is listed, for people.")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Day of the list.")
    sources: dict[str, str] = Field(description="Where the words are from.")
    words: Many[Word] = Field(description="Mainland words.")
    simplified: Many[Word] = Field(description="Simplified words of characters both writings have.")
    traditional: str = Field(description="Characters that look like a leak and are none.")


@cache
def vocabulary() -> Vocabulary:
    """The list of `configs/vocabulary/mainland.yaml`."""
    return facts.read_folder(shipped.root() / "configs" / "vocabulary", Vocabulary)["mainland"]


def simplified_leaks(text: str) -> Found:
    """The Simplified characters and words in `text`, in order, each once."""
    leaked = {c: _to_traditional()(c) for c in HAN.findall(text) if _leaks(c)}
    return {**leaked, **_words(text, *_simplified_words())}


def mainland_words(text: str) -> Found:
    """The mainland words in `text`, in either writing, in order, each once."""
    return _words(text, *_mainland_words())


@cache
def _leaks(character: str) -> bool:
    return (
        character not in vocabulary().traditional
        and not _is_everyday(character)
        and _to_traditional()(character) != character
        and _to_simplified()(character) == character
    )


def _is_everyday(character: str) -> bool:
    try:
        return character.encode("big5")[0] in BIG5_LEVEL_1
    except UnicodeEncodeError:
        return False


Listed = tuple[re.Pattern[str], Mapping[str, str]]


def _words(text: str, pattern: re.Pattern[str], taiwan: Mapping[str, str]) -> Found:
    found = (match[0] for match in pattern.finditer(text))
    return {word: taiwan[word] for word in found if word in taiwan}


@cache
def _mainland_words() -> Listed:
    simplify = _to_simplified()
    return _listed(vocabulary().words, lambda text: (text, simplify(text)))


@cache
def _simplified_words() -> Listed:
    return _listed(vocabulary().simplified, lambda text: (text,))


def _listed(words: tuple[Word, ...], writings: Callable[[str], tuple[str, ...]]) -> Listed:
    """One pattern of the words and the texts that excuse them; of two at a place the longer."""
    taiwan = {form: word.taiwan for word in words for form in writings(word.word)}
    excuses = {form for word in words for text in word.unless for form in writings(text)}
    every = sorted({*taiwan, *excuses}, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, every))), taiwan


@cache
def _to_traditional() -> Callable[[str], str]:
    from opencc import OpenCC

    return OpenCC("s2t").convert


@cache
def _to_simplified() -> Callable[[str], str]:
    from opencc import OpenCC

    return OpenCC("t2s").convert
