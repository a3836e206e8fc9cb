"""Evaluator `rouge-characters`: ROUGE over characters in Chinese, over words elsewhere.

ROUGE-L is the F1 of the longest common subsequence, ROUGE-1 and -2 the F1 of single units and of
pairs. A unit is a Chinese character or a word of another language (`foundry.evals.units`).

Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries". Sentence level, F1.
The length of the subsequence is counted with one bit for each unit of the reference: Hyyrö
(2004), "Bit-parallel LCS-length computation revisited".
"""

from collections import Counter
from collections.abc import Sequence

from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion
from foundry.evals.parts import InParts
from foundry.evals.units import units

version = 1
GRADED = True
TITLE = {"en": "Same order as the reference (ROUGE-L)", "zh-TW": "與標準答案的順序重疊（ROUGE-L）"}
EXPLAIN = {
    "en": "How much of the reference stands in the answer in the same order, and how little else "
    "(ROUGE-L F1 over Chinese characters and foreign words, 0 to 100). It sees wording, not "
    "whether the answer is true.",
    "zh-TW": "答案依相同順序說出了多少標準答案，又少說了多少其他的話（以中文字與外文詞計算的 "
    "ROUGE-L F1，0 到 100）。它只看用字，看不出答案是否正確。",
}


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """ROUGE-L F1 in 0..1; 1.0 where answer and reference are both empty."""
    if not item.is_in(spec.parts):
        return None
    found, wanted = units(answer.text), units(item.example.answer)
    return _f1(common_length(found, wanted), len(found), len(wanted))


def rouge_1(item: Item, answer: Answer, spec: Spec) -> float | None:
    """ROUGE-1 F1 in 0..1."""
    return _of_runs(item, answer, spec, 1)


def rouge_2(item: Item, answer: Answer, spec: Spec) -> float | None:
    """ROUGE-2 F1 in 0..1; None where the reference is a single unit, which has no pair."""
    return _of_runs(item, answer, spec, 2)


COMPANIONS = (
    Companion(
        name="rouge-characters-1",
        title={"en": "Shared characters (ROUGE-1)", "zh-TW": "相同的字（ROUGE-1）"},
        explain={
            "en": "F1 over Chinese characters and foreign words, in whatever order.",
            "zh-TW": "以中文字與外文詞計算的 F1，不論順序。",
        },
        score=rouge_1,
    ),
    Companion(
        name="rouge-characters-2",
        title={"en": "Shared pairs (ROUGE-2)", "zh-TW": "相同的兩字連用（ROUGE-2）"},
        explain={
            "en": "F1 over pairs of neighbouring characters or words.",
            "zh-TW": "以相鄰兩個字或詞計算的 F1。",
        },
        score=rouge_2,
    ),
)


def common_length(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence; O(len(a) * len(b) / word size)."""
    places: dict[str, int] = {}
    for place, unit in enumerate(b):
        places[unit] = places.get(unit, 0) | 1 << place
    full = (1 << len(b)) - 1
    unmatched = full
    for unit in a:
        here = unmatched & places.get(unit, 0)
        unmatched = ((unmatched + here) | (unmatched - here)) & full
    return len(b) - unmatched.bit_count()


def _of_runs(item: Item, answer: Answer, spec: Spec, length: int) -> float | None:
    wanted = _runs(units(item.example.answer), length)
    if not item.is_in(spec.parts) or not wanted:
        return None
    found = _runs(units(answer.text), length)
    return _f1((found & wanted).total(), found.total(), wanted.total())


def _runs(seen: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(seen[i : i + length]) for i in range(len(seen) - length + 1))


def _f1(common: int, found: int, wanted: int) -> float:
    return 2 * common / (found + wanted) if found + wanted else 1.0
