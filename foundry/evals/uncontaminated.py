"""What the scores and verdicts are without the test questions that training rows hold too."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from foundry.core.recipe import Gate
from foundry.evals.comparison import Comparison, Contrast, rounded
from foundry.evals.contamination import GRAM, NEAR, Overlap
from foundry.evals.gates import judge
from foundry.evals.multiplicity import judged_together
from foundry.evals.statistics import Difference, verdict
from foundry.evals.telling import main_metric
from foundry.evals.wording import VERDICTS, say

NOTHING_LEFT = "NOT ENOUGH DATA"


def contamination(
    comparison: Comparison, found: Sequence[Overlap], gates: Sequence[Gate]
) -> dict[str, Any]:
    """The overlapping questions, and every number they touch with and without them.

    Gives `{gram, near, count, items, scores, verdicts, gates}`; `gates` are those that hold only
    with the overlapping questions, or only without.
    """
    named = {overlap.item_id for overlap in found}
    clean = replace(comparison, scores=comparison.scores.without(named))
    touched = [
        (metric, part)
        for metric in comparison.scores.metrics
        for part in comparison.scores.parts_of(metric)
        if any(overlap.part == part for overlap in found)
    ]
    return {
        "gram": GRAM,
        "near": NEAR,
        "count": len(found),
        "items": [asdict(overlap) for overlap in found],
        "scores": [row for place in touched for row in _scores(comparison, clean, *place)],
        "verdicts": list(_verdicts(comparison, clean, touched)),
        "gates": _changed_gates(comparison, clean, gates) if found else [],
    }


def contamination_headlines(made: dict[str, Any], comparison: Comparison) -> list[dict[str, str]]:
    """A warning for each part's verdict on training that is another without the overlap.

    Of models side by side, one for each part that holds what one of them was trained on.
    """
    if comparison.roles.tuned is None:
        counts = Counter(item["part"] for item in made["items"])
        return [
            say("learned", part=comparison.part_title(part), n=str(count))
            for part, count in counts.items()
        ]
    return [
        say(
            "contaminated",
            part=comparison.part_title(row["part"]),
            metric=comparison.metric_title(row["metric"]),
            n=str(sum(item["part"] == row["part"] for item in made["items"])),
            verdict=VERDICTS[row["verdict"]],
            without=VERDICTS[row["verdict_without"]],
        )
        for row in made["verdicts"]
        if row["a"] == comparison.roles.tuned
        and row["metric"] == main_metric(comparison, row["part"])
        and row["verdict"] != row["verdict_without"]
    ]


def _scores(
    comparison: Comparison, clean: Comparison, metric: str, part: str
) -> Iterator[dict[str, Any]]:
    for column in comparison.columns:
        if not comparison.scores.has(metric, column):
            continue
        before = comparison.scores.interval(metric, part, column)
        after = clean.scores.interval(metric, part, column)
        if before.n != after.n:
            yield {
                "metric": metric,
                "part": part,
                "column": column,
                "n": before.n,
                "mean": rounded(before.mean),
                "n_without": after.n,
                "mean_without": rounded(after.mean),
                "low_without": rounded(after.low),
                "high_without": rounded(after.high),
            }


def _verdicts(
    comparison: Comparison, clean: Comparison, touched: Sequence[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Tuned and delivered against the better base, which is chosen with every question.

    Both verdicts are corrected for all comparisons of the report, as the report's own are.
    """
    without = _without(comparison, clean, touched) if touched else {}
    for contrast in comparison.contrasts:
        before, after = contrast.difference, without.get(contrast)
        is_touched = (contrast.metric, contrast.part) in touched
        if not (is_touched and contrast.kind.endswith("-base")):
            continue
        if after is None or after.n != before.n:
            yield {
                "metric": contrast.metric,
                "part": contrast.part,
                "a": contrast.a,
                "b": contrast.b,
                "mean": rounded(before.mean),
                "verdict": verdict(before),
                "mean_without": None if after is None else rounded(after.mean),
                "verdict_without": NOTHING_LEFT if after is None else verdict(after),
            }


def _without(
    comparison: Comparison, clean: Comparison, touched: Sequence[tuple[str, str]]
) -> dict[Contrast, Difference]:
    """The report's differences without the overlap, judged together; none where nothing is left."""
    found = {
        one: clean.scores.difference(one.metric, one.part, one.a, one.b)
        if (one.metric, one.part) in touched
        else one.difference
        for one in comparison.contrasts
    }
    left = {one: difference for one, difference in found.items() if difference is not None}
    return dict(zip(left, judged_together([*left.values()]), strict=True))


def _changed_gates(
    comparison: Comparison, clean: Comparison, gates: Sequence[Gate]
) -> list[dict[str, Any]]:
    pairs = zip(judge(gates, comparison), judge(gates, clean), strict=True)
    return [
        {**before["gate"], "passed": before["passed"], "passed_without": after["passed"]}
        for before, after in pairs
        if before["passed"] != after["passed"]
    ]
