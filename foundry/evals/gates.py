"""Which of a recipe's gates hold, what was found, and the sentence that says so.

A gate must hold for the tuned model *and* for the delivered file; what is reported is whichever
of the two is further from holding. A gate on something nobody measured does not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.recipe import Gate
from foundry.evals.comparison import DECIMALS, Comparison
from foundry.evals.statistics import FEWEST_GROUPS
from foundry.evals.wording import join, percent, points, say


@dataclass(frozen=True)
class Bound:
    """One bound of a gate; `needed` in the recipe's unit (`max_drop_pp`: percentage points)."""

    metric: str
    part: str | None
    kind: str
    needed: float


@dataclass(frozen=True)
class Found:
    """What a column shows: `value` and its interval are shares or differences of shares.

    `margin` is how far the value is beyond the bound, negative where short of it.
    """

    column: str
    value: float
    low: float
    high: float
    groups: int
    margin: float
    passed: bool
    base: str | None = None


def judge(gates: Sequence[Gate], comparison: Comparison) -> list[dict[str, Any]]:
    """One result per bound: `{gate, passed, needed, found, low, high, column, base, sentence}`.

    `found`, `low` and `high` are shares in 0..1 for `min` and differences of shares (tuned less
    better base) for `min_gain` and `max_drop_pp`; None where nothing was measured.
    """
    return [_result(bound, comparison) for gate in gates for bound in _bounds(gate)]


def _bounds(gate: Gate) -> list[Bound]:
    written = {"min": gate.min, "min_gain": gate.min_gain, "max_drop_pp": gate.max_drop_pp}
    return [
        Bound(gate.metric, gate.part, kind, float(needed))
        for kind, needed in written.items()
        if needed is not None
    ]


def _result(bound: Bound, comparison: Comparison) -> dict[str, Any]:
    found = [_found(bound, comparison, column) for column in comparison.roles.candidates]
    measured = [one for one in found if one is not None]
    names = {
        "metric": comparison.metric_title(bound.metric),
        "part": comparison.part_title(bound.part),
    }
    gate = {"metric": bound.metric, "part": bound.part, "bound": bound.kind}
    if len(measured) < len(found):
        missing = dict.fromkeys(("found", "low", "high", "column", "base"))
        sentence = say("gate-unmeasured", **names)
        return {"gate": gate, "passed": False, "needed": bound.needed, **missing} | {
            "sentence": sentence
        }
    worst = min(measured, key=lambda one: (one.passed, one.margin))
    sentence = say(
        f"gate-{bound.kind}",
        **names,
        column=comparison.columns[worst.column],
        **_numbers(bound, worst),
    )
    if bound.kind == "min_gain" and worst.groups < FEWEST_GROUPS:
        sentence = join(sentence, say("NOT ENOUGH DATA", groups=str(worst.groups)))
    return {
        "gate": gate,
        "passed": worst.passed,
        "needed": bound.needed,
        "found": worst.value,
        "low": worst.low,
        "high": worst.high,
        "column": worst.column,
        "base": worst.base,
        "sentence": sentence,
    }


def _found(bound: Bound, comparison: Comparison, column: str) -> Found | None:
    if bound.kind == "min":
        own = comparison.scores.interval(bound.metric, bound.part, column)
        if own.mean is None or own.low is None or own.high is None:
            return None
        value, low, high = (round(x, DECIMALS) for x in (own.mean, own.low, own.high))
        margin = round(value - bound.needed, DECIMALS)
        return Found(column, value, low, high, own.groups, margin, passed=margin >= 0)
    base = comparison.best_base(bound.metric, bound.part)
    return None if base is None else _against(bound, comparison, column, base)


def _against(bound: Bound, comparison: Comparison, column: str, base: str) -> Found | None:
    """A gain counts only if chance does not explain it; a drop is judged by what was measured.

    Proving that nothing was lost would take thousands of questions, so `max_drop_pp` compares
    the mean and the report shows the interval beside it.
    """
    difference = comparison.scores.difference(bound.metric, bound.part, column, base)
    if difference is None:
        return None
    value, low, high = (
        round(x, DECIMALS) + 0.0 for x in (difference.mean, difference.low, difference.high)
    )
    least = bound.needed if bound.kind == "min_gain" else -bound.needed / 100
    margin = round(value - least, DECIMALS)
    certain = low > 0 and difference.groups >= FEWEST_GROUPS
    passed = margin >= 0 and (certain or bound.kind != "min_gain")
    return Found(column, value, low, high, difference.groups, margin, passed, base)


def _numbers(bound: Bound, found: Found) -> dict[str, str]:
    if bound.kind == "min":
        return {"needed": percent(bound.needed), "found": percent(found.value)}
    share = bound.needed if bound.kind == "min_gain" else bound.needed / 100
    return {
        "needed": points(share),
        "found": points(found.value, signed=True),
        "low": points(found.low, signed=True),
        "high": points(found.high, signed=True),
    }
