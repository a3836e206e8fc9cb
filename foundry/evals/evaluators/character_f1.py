"""Evaluator `character-f1`: overlap of the answer's characters with the reference's.

SQuAD's token F1 with characters for tokens, because Chinese has no spaces between words.
Source: Rajpurkar et al. (2016), "SQuAD", section 6.1, arXiv 1606.05250.
"""

from collections import Counter

from foundry.data.normalising import normalise
from foundry.evals.answers import Answer, Item
from foundry.evals.parts import InParts

version = 1
GRADED = True
TITLE = {"en": "Similarity to the reference", "zh-TW": "與標準答案的相似度"}
EXPLAIN = {
    "en": "How many characters the answer and the reference share (character F1, 0 to 100).",
    "zh-TW": "答案與標準答案有多少字相同（字元 F1，0 到 100）。",
}


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """Harmonic mean of precision and recall over characters, in 0..1."""
    if not item.is_in(spec.parts):
        return None
    found = Counter(normalise(answer.text))
    wanted = Counter(normalise(item.example.answer))
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0
