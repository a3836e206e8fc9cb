"""Evaluator `exact-match`: the share of answers equal to the reference.

Compared after normalising and without end punctuation, as SQuAD does for English.
Source: Rajpurkar et al. (2016), "SQuAD", section 6.1, arXiv 1606.05250.
"""

from foundry.data.normalising import bare
from foundry.evals.answers import Answer, Item
from foundry.evals.parts import InParts

version = 2  # 1 took 3% for 3
TITLE = {"en": "Same as the reference", "zh-TW": "與標準答案完全相同"}
EXPLAIN = {
    "en": "The answer is the reference word for word; width, case, spaces, commas and the final "
    "punctuation do not count.",
    "zh-TW": "答案與標準答案逐字相同；全形半形、大小寫、空白、逗號和句尾標點不計。",
}


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer equals the reference, else 0.0."""
    if not item.is_in(spec.parts):
        return None
    return float(bare(answer.text) == bare(item.example.answer))
