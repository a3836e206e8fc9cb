"""Do pooled numbers, such as macro F1, keep what they say? Simulated tests of known truth.

    python scripts/simulate_pooled.py [--runs 400] [--write]

Questions have one of K labels, all equally frequent, and come in groups of 1 to so many; a model is
right at a rate that is drawn anew for each group, and says any other label as often as the next.
Of endless questions its precision and recall are that rate's mean for every label, and so is its
macro F1. `simulate_statistics.py` does the same for scores of single questions.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from foundry.evals.companions import PooledCompanion  # noqa: E402
from foundry.evals.evaluators import classification  # noqa: E402
from foundry.evals.set_statistics import interval, paired_difference  # noqa: E402
from foundry.evals.statistics import Difference, verdict  # noqa: E402
from scripts.performance import machine, put_section  # noqa: E402
from scripts.simulate_statistics import (  # noqa: E402
    FALSE,
    LEVEL,
    PAGE,
    SEED,
    head,
    parse,
    slack,
)

SECTION = "Do pooled numbers keep what they say?"
RATES = (0.5, 0.85)
PAIR = (0.85, 0.7)
"""Rates of two models; between the two lies the difference whose coverage is counted."""
CORRELATION, SAME_ANSWER = 0.2, 0.6
COLUMNS = (
    *("groups", "in a group", "labels", *(f"coverage at {100 * rate:g}" for rate in RATES)),
    *("coverage of a difference", "false positives"),
)
ABOUT = """\
Macro F1 is no mean of questions: its interval is a bootstrap over groups. Labels are equally
frequent, groups alike to {correlation:g}. Coverage is that of a model of {low:g} or {high:g} of 100
and of the difference of {apart:g} points between independent models of {a:g} and {b:g}; false
positives are two models of {b:g} that answer most questions with the same label and are called
BETTER or WORSE. Each figure is a share of {runs} tests and may be off by three standard errors:
{slack}.
"""
SHAPES = [
    (groups, largest, labels)
    for groups, labels in ((30, 3), (60, 5), (120, 5), (250, 10))
    for largest in (1, 3)
]
NUMBER = next(x for x in classification.COMPANIONS if isinstance(x, PooledCompanion)).statistic

Labels = NDArray[np.int64]
Count = Mapping[str, float]


class PooledKept(NamedTuple):
    """The figures of a shape, all shares of the runs."""

    coverage: tuple[float, ...]
    difference_coverage: float
    false_positives: float


def simulate_pooled(groups: int, largest: int, labels: int, *, runs: int, seed: int) -> PooledKept:
    """Every figure of so many groups of 1 to `largest` questions with so many labels."""
    rng = np.random.default_rng(seed)
    covered = []
    for rate in RATES:
        hits = 0
        for _ in range(runs):
            names, wanted = _questions(groups, largest, labels, rng)
            found = interval(
                _counts(wanted, _said(wanted, rate, names, labels, rng)), names, NUMBER, seed=0
            )
            assert found.low is not None and found.high is not None
            hits += found.low <= rate <= found.high
        covered.append(hits / runs)
    shape = (groups, largest, labels)
    pairs = [_pair(PAIR, 0.0, shape, rng) for _ in range(runs)]
    held = sum(found.low <= PAIR[0] - PAIR[1] <= found.high for found in pairs)
    equals = [_pair((PAIR[1],) * 2, SAME_ANSWER, shape, rng) for _ in range(runs)]
    wrong = sum(verdict(found) in ("BETTER", "WORSE") for found in equals)
    return PooledKept(tuple(covered), held / runs, wrong / runs)


def _questions(
    groups: int, largest: int, labels: int, rng: np.random.Generator
) -> tuple[list[str], Labels]:
    """The group and the label of each question."""
    sizes = rng.integers(1, largest + 1, groups)
    names = [str(group) for group, size in enumerate(sizes) for _ in range(size)]
    return names, rng.integers(0, labels, len(names))


def _said(
    wanted: Labels, rate: float, names: list[str], labels: int, rng: np.random.Generator
) -> Labels:
    """What a model says, right at `rate` over all groups there could be."""
    weight = (1 - CORRELATION) / CORRELATION
    by_group = rng.beta(weight * rate, weight * (1 - rate), int(names[-1]) + 1)
    is_right = rng.random(len(wanted)) < by_group[[int(name) for name in names]]
    return np.where(is_right, wanted, (wanted + rng.integers(1, labels, len(wanted))) % labels)


def _counts(wanted: Labels, said: Labels) -> list[Count]:
    """What the evaluator counts of each answer."""
    return [
        {f"wanted {w}": 1, f"said {s}": 1, **({f"right {w}": 1} if w == s else {})}
        for w, s in zip(wanted.tolist(), said.tolist(), strict=True)
    ]


def _pair(
    rates: tuple[float, ...], same: float, shape: tuple[int, int, int], rng: np.random.Generator
) -> Difference:
    names, wanted = _questions(*shape, rng)
    a, b = (_said(wanted, rate, names, shape[2], rng) for rate in rates)
    b = np.where(rng.random(len(b)) < same, a, b)
    return paired_difference(_counts(wanted, a), _counts(wanted, b), names, NUMBER, seed=0)


def table(runs: int, tell: Callable[[str], None]) -> Iterator[str]:
    """The rows of the table, each told when it is made."""
    yield from head(COLUMNS)
    for number, shape in enumerate(SHAPES):
        kept = simulate_pooled(*shape, runs=runs, seed=SEED + 200 + number)
        shares = (*kept.coverage, kept.difference_coverage, kept.false_positives)
        figures = [f"{100 * share:.1f} %" for share in shares]
        row = f"| {' | '.join([*map(str, shape), *figures])} |"
        tell(row)
        yield row


def main() -> None:
    """Simulate, print, and with `--write` put the table into docs/evaluation.md."""
    options = parse("Simulate the statistics of pooled numbers.", 400)
    rows = list(table(options.runs, lambda row: print(row, flush=True)))
    if options.write:
        off = [100 * slack(share, options.runs) for share in (LEVEL, FALSE)]
        low, high = (100 * rate for rate in RATES)
        a, b = (100 * rate for rate in PAIR)
        about = ABOUT.format(
            **{"correlation": CORRELATION, "low": low, "high": high, "apart": a - b, "a": a},
            **{"b": b, "runs": options.runs},
            slack="{:.1f} points around 95 %, {:.1f} around 5 %".format(*off),
        )
        made = f"`python scripts/simulate_pooled.py --runs {options.runs} --write`"
        told = f"{made}, seed {SEED}; {machine(['numpy', 'scipy'])}\n"
        put_section(PAGE, SECTION, "\n".join([about, told, *rows]))


if __name__ == "__main__":
    main()
