"""Evaluator `chrf`: chrF2, the F-score of the answer's character runs of 1 to 6.

Precision and recall are averaged over the run lengths that both texts have, and recall weighs
twice as much (beta 2); white space does not count, case does. These are sacrebleu's defaults
(`nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`), and `tests/evals/test_chrf.py` holds the scores
equal to sacrebleu's. sacrebleu itself does not give out the counts from which the score of a
whole set is drawn again and again for an interval.

Source: Popović (2015), "chrF: character n-gram F-score for automatic MT evaluation", W15-3049;
beta 2 is that of Popović (2016), W16-2341.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from foundry.evals.answers import Answer, Item
from foundry.evals.companions import PooledCompanion, Sums, share
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 1
GRADED = True
TITLE = {"en": "Similarity in runs of characters (chrF)", "zh-TW": "連續字元的相似度（chrF）"}
EXPLAIN = {
    "en": "How many runs of 1 to 6 characters the answer and the reference share (chrF, 0 to "
    "100). It sees wording, not whether the answer is true.",
    "zh-TW": "答案與標準答案有多少相同的 1 到 6 個連續字元（chrF，0 到 100）。它只看用字，"
    "看不出答案是否正確。",
}
LONGEST_RUN = 6
BETA = 2
COUNTED = ("answer", "reference", "both")

Counts = tuple[tuple[int, int, int], ...]
"""For each run length: runs in the answer, runs in the reference, runs that both have."""


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """Sentence-level chrF2 in 0..1; 0.0 where nothing is shared."""
    if not item.is_in(spec.parts):
        return None
    return float(f_score(counts(answer.text, item.example.answer)))


def set_counts(item: Item, answer: Answer, spec: Spec) -> Mapping[str, float] | None:
    """The counts of one answer by run length and name."""
    if not item.is_in(spec.parts):
        return None
    numbered = enumerate(counts(answer.text, item.example.answer), start=1)
    return {
        f"{name} {length}": number
        for length, one in numbered
        for name, number in zip(COUNTED, one, strict=True)
    }


def set_score(sums: Sums) -> "Array":
    """chrF2 of summed counts, as sacrebleu scores a whole set."""
    lengths = range(1, LONGEST_RUN + 1)
    return f_score([[sums.get(f"{name} {length}", 0) for name in COUNTED] for length in lengths])


COMPANIONS = (
    PooledCompanion(
        name="chrf-of-the-set",
        title={"en": "chrF of all answers together", "zh-TW": "全部答案合計的 chrF"},
        explain={
            "en": "chrF over the runs of all answers together, so that a long answer counts more.",
            "zh-TW": "把全部答案的連續字元合在一起計算的 chrF；長的答案份量較重。",
        },
        observe=set_counts,
        statistic=set_score,
    ),
)


def counts(found: str, wanted: str) -> Counts:
    """What the score of one answer, or summed that of a set, is made of."""
    return tuple(_counts(*("".join(text.split()) for text in (found, wanted))))


def f_score(summed: Sequence[Sequence["Array | float"]]) -> "Array":
    """chrF2 from `counts`, or from their sums over each of N sets, in 0..1.

    The mean precision P and recall R over run lengths that both sides have give
    (1 + beta²) P R / (beta² P + R).
    """
    precisions: Array | float = 0.0
    recalls: Array | float = 0.0
    lengths: Array | float = 0.0
    for found, wanted, same in summed:
        # 1.0 where both sides have a run of this length, else 0.0
        have_both = share(found, found) * share(wanted, wanted)
        lengths = lengths + have_both
        precisions = precisions + have_both * share(same, found)
        recalls = recalls + have_both * share(same, wanted)
    precision, recall = share(precisions, lengths), share(recalls, lengths)
    return share((1 + BETA**2) * precision * recall, BETA**2 * precision + recall)


def _counts(found: str, wanted: str) -> list[tuple[int, int, int]]:
    made = []
    for length in range(1, LONGEST_RUN + 1):
        ours, theirs = _runs(found, length), _runs(wanted, length)
        # A reference too short for this length says nothing of the answer's runs.
        total = ours.total() if theirs else 0
        made.append((total, theirs.total(), (ours & theirs).total()))
    return made


def _runs(text: str, length: int) -> Counter[str]:
    return Counter(text[i : i + length] for i in range(len(text) - length + 1))
