"""Which of a recipe's gates hold, what was found, and the sentence that says so.

A gate must hold for the tuned model *and* for every delivered file that is asked; what is reported
is whichever of them is furthest from holding. A gate on something nobody measured does not hold. Of
what no delivered file can be measured by (a judge's verdicts, exposure) it asks the tuned model
alone, and says so.

Differences are judged without a correction for their number: since every gate must hold, further
gates make it harder to pass by chance, not easier (Berger 1982, "Multiparameter hypothesis testing
and acceptance sampling", Technometrics 24, pp. 295-300).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.recipe import Gate
from foundry.evals.comparison import DECIMALS, Comparison
from foundry.evals.statistics import FEWEST_GROUPS, Difference, detectable, verdict
from foundry.evals.wording import join, percent, points, say

LOSSES = ("max_drop_pp", "non_inferiority_pp")
OF_A_SCORE = ("min", "max")  # the others bound a difference from the base


@dataclass(frozen=True)
class Bound:
    """One bound of a gate; `needed` in the recipe's unit (`..._pp`: percentage points).

    `max` is of metrics where less is better, `min` of the others (`core.references`). A gain is a
    difference for the better either way.
    """

    metric: str
    part: str | None
    kind: str
    needed: float

    @property
    def least(self) -> float:
        """The bound of a share or of a difference of shares, negative where a loss is allowed."""
        return -self.needed / 100 if self.kind in LOSSES else self.needed


@dataclass(frozen=True)
class Found:
    """What a column shows: `value` and its interval are shares or differences of shares.

    `margin` is how far what is judged (the value, or its lower limit) is beyond the bound, negative
    where short of it.
    """

    column: str
    value: float
    low: float
    high: float
    groups: int
    margin: float
    passed: bool
    base: str | None = None
    difference: Difference | None = None


def judge(gates: Sequence[Gate], comparison: Comparison) -> list[dict[str, Any]]:
    """One result per bound: `{gate, passed, needed, found, low, high, column, base, sentence}`.

    `found`, `low` and `high` are shares in 0..1 for `min` and `max`, and differences of shares (by
    how much the tuned model is better than the better base) for the other bounds; None where
    nothing was measured.
    """
    return [_result(bound, comparison) for gate in gates for bound in _bounds(gate)]


def _bounds(gate: Gate) -> list[Bound]:
    written = {
        "min": gate.min,
        "max": gate.max,
        "min_gain": gate.min_gain,
        "max_drop_pp": gate.max_drop_pp,
        "non_inferiority_pp": gate.non_inferiority_pp,
    }
    return [
        Bound(gate.metric, gate.part, kind, float(needed))
        for kind, needed in written.items()
        if needed is not None
    ]


def _result(bound: Bound, comparison: Comparison) -> dict[str, Any]:
    candidates = _candidates(bound, comparison)
    found = [_found(bound, comparison, column) for column in candidates]
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
    left_out = [say("gate-tuned-alone")] if candidates != comparison.roles.candidates else []
    sentence = join(sentence, *left_out, *_cautions(bound, worst))
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


def _candidates(bound: Bound, comparison: Comparison) -> tuple[str, ...]:
    """The columns that must keep a bound."""
    metric = comparison.scores.metrics.get(bound.metric)
    alone = metric is not None and metric.of_tuned
    return comparison.roles.candidates[: 1 if alone else None]


def _found(bound: Bound, comparison: Comparison, column: str) -> Found | None:
    if bound.kind in OF_A_SCORE:
        own = comparison.scores.interval(bound.metric, bound.part, column)
        if own.mean is None or own.low is None or own.high is None:
            return None
        value, low, high = (round(x, DECIMALS) for x in (own.mean, own.low, own.high))
        beyond = value - bound.needed if bound.kind == "min" else bound.needed - value
        margin = round(beyond, DECIMALS)
        return Found(column, value, low, high, own.groups, margin, passed=margin >= 0)
    base = comparison.best_base(bound.metric, bound.part)
    return None if base is None else _against(bound, comparison, column, base)


def _against(bound: Bound, comparison: Comparison, column: str, base: str) -> Found | None:
    """A gain counts only if chance does not explain it, `max_drop_pp` goes by what was measured.

    `non_inferiority_pp` wants proof: the 95 % interval must lie wholly above the loss that is let
    pass, which is a test at 2.5 % one-sided.

    Source: ICH E9 (1998), "Statistical principles for clinical trials", section 3.3.2; EMA (2005),
    "Guideline on the choice of the non-inferiority margin", EMEA/CPMP/EWP/2158/99.
    """
    difference = comparison.scores.difference(bound.metric, bound.part, column, base)
    if difference is None:
        return None
    value, low, high = (
        round(x, DECIMALS) + 0.0 for x in (difference.mean, difference.low, difference.high)
    )
    judged = low if bound.kind == "non_inferiority_pp" else value
    margin = round(judged - bound.least, DECIMALS)
    passed = margin >= 0
    if bound.kind == "min_gain":
        passed = passed and verdict(difference) == "BETTER"
    elif bound.kind == "non_inferiority_pp":
        passed = margin > 0 and difference.groups >= FEWEST_GROUPS
    return Found(column, value, low, high, difference.groups, margin, passed, base, difference)


def _cautions(bound: Bound, found: Found) -> list[dict[str, str]]:
    """What else is to be known: that a loss is not ruled out, or that the test part is too small.

    The least gain that would show is also about the least loss that could be ruled out between
    equals: both are (t' + t'') standard errors.
    """
    if found.difference is None:
        return []
    if bound.kind == "max_drop_pp":
        low = points(found.low, signed=True)
        ruled_out = not found.passed or found.low > bound.least
        return [] if ruled_out else [say("loss-not-ruled-out", low=low)]
    groups = str(found.groups)
    least = detectable(found.difference)
    if least is None:
        return [say("NOT ENOUGH DATA", groups=groups)]
    if found.passed or least <= abs(bound.least):
        return []
    n = str(found.difference.n)
    return [say("small-test", n=n, groups=groups, detectable=points(least))]


def _numbers(bound: Bound, found: Found) -> dict[str, str]:
    if bound.kind in OF_A_SCORE:
        return {"needed": percent(bound.needed), "found": percent(found.value)}
    return {
        "needed": points(abs(bound.least)),
        "found": points(found.value, signed=True),
        "low": points(found.low, signed=True),
        "high": points(found.high, signed=True),
    }
