"""Evaluator `pair-accuracy`: of two answers, the reward model gives the better one more.

Only a reward model's answers carry rewards (trainer `reward`); half of a point is given where both
answers get the same. Whether it has learned more than that longer answers win is told by the pairs
whose better answer is the shorter one, and by the column that always prefers the longer. Source of
the caution: Singhal et al. (2023), "A Long Way to Go: Investigating Length Correlations in RLHF",
arXiv 2310.03716.
"""

from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion
from foundry.evals.parts import InParts

version = 1
READS = "reward"
TITLE = {"en": "Better answer preferred", "zh-TW": "選對較好的回答"}
EXPLAIN = {
    "en": "Of the two answers of a pair, the better one gets the higher reward. Chance gives 50.",
    "zh-TW": "成對的兩個回答中，較好的那個得到較高的獎勵。亂猜是 50 分。",
}
# Of `Answer.scores`: the rewards of the two answers.
BETTER, WORSE = "better", "worse"


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0, 0.5 or 0.0; None where the item is no pair, 0.0 where no reward was given."""
    if not item.is_in(spec.parts) or item.example.rejected is None:
        return None
    if not answer.scores:
        return 0.0
    better, worse = answer.scores[BETTER], answer.scores[WORSE]
    return 0.5 if better == worse else float(better > worse)


def of_shorter(item: Item, answer: Answer, spec: Spec) -> float | None:
    """The same of pairs whose better answer has fewer characters."""
    rejected = item.example.rejected
    if rejected is None or len(item.example.answer) >= len(rejected.content):
        return None
    return score(item, answer, spec)


COMPANIONS = (
    Companion(
        "pair-accuracy-of-shorter",
        {"en": "Better answer preferred though shorter", "zh-TW": "較好的回答較短時也選對"},
        {
            "en": "The same, on the pairs whose better answer is the shorter one: who has only "
            "learned that longer answers win gets nothing here.",
            "zh-TW": "只看較好的回答比較短的題目：如果只學到「越長越好」，這裡就得零分。",
        },
        of_shorter,
    ),
)
