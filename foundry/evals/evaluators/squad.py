"""Evaluator `squad`: SQuAD's exact match and F1, the best of all references.

SQuAD compares after lower-casing and without punctuation, white space and the articles a, an, the.
F1 counts words where a text has spaces between them, and characters where it has none, as Chinese
(`units`). The references are the row's field `answers`, a list as JSON, or the row's answer alone.

Source: Rajpurkar et al. (2016), "SQuAD", section 6.1, arXiv 1606.05250; Shao et al. (2018), "DRCD",
arXiv 1806.00920, which scores characters; Cui et al. (2019), "CMRC 2018", arXiv 1810.07366, whose
script takes a run of letters between them as one.
"""

import json
import re
import unicodedata
from collections import Counter
from string import punctuation

from foundry.data.normalising import fold
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion
from foundry.evals.parts import InParts
from foundry.evals.units import units

version = 3  # 1 counted the letters of English words, 2 kept $ + < = > ^ ` | and ~
TITLE = {"en": "Same as a reference", "zh-TW": "與某個標準答案相同"}
EXPLAIN = {
    "en": "SQuAD's exact match: the answer is one of the references; case, width, punctuation and "
    "spaces do not count.",
    "zh-TW": "SQuAD 的 exact match：答案與任一標準答案相同；大小寫、全形半形、標點和空白不計。",
}
FIELD = "answers"
BETWEEN_NUMBERS = re.compile(r"(?<=\d)[-‐–—~/:]+(?=\d)")  # 1914-1918 is two, 1,000 is one
ARTICLES = re.compile(r"\b(?:a|an|the)\b")


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer equals one of the references, else 0.0."""
    if not item.is_in(spec.parts):
        return None
    said = bare(answer.text)
    return float(any(said == bare(reference) for reference in references(item)))


def overlap(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The largest F1 over words or characters with any reference, in 0..1."""
    if not item.is_in(spec.parts):
        return None
    said = Counter(units(unmarked(answer.text)))
    return max(_f1(said, Counter(units(unmarked(text)))) for text in references(item))


COMPANIONS = (
    Companion(
        "squad-f1",
        {"en": "Similarity to a reference", "zh-TW": "與標準答案的相似度"},
        {
            "en": "SQuAD's F1 over words, of Chinese over characters, with the nearest reference.",
            "zh-TW": "SQuAD 的 F1，中文以字計，英文以單字計，取最接近的標準答案。",
        },
        overlap,
    ),
)


def references(item: Item) -> list[str]:
    """Every answer that is accepted."""
    listed = item.example.fields.get(FIELD)
    return [item.example.answer] if listed is None else [str(text) for text in json.loads(listed)]


def bare(text: str) -> str:
    """What SQuAD compares: lower case, without punctuation, articles and white space."""
    return "".join(unmarked(text).split())


def unmarked(text: str) -> str:
    """A text in lower case, without punctuation and articles."""
    return ARTICLES.sub(" ", "".join(map(_kept, BETWEEN_NUMBERS.sub(" ", fold(text)))))


def _kept(sign: str) -> str:
    is_mark = unicodedata.category(sign).startswith("P") or sign in punctuation
    return "" if is_mark else sign


def _f1(found: Counter[str], wanted: Counter[str]) -> float:
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0
