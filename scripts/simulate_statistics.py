"""Do the statistics keep what they say? Simulated tests of known truth, put in a table.

    python scripts/simulate_statistics.py [--runs 1000] [--write]

Answers are right or wrong and come in groups, whose rates are drawn anew for each (a beta
distribution for one model, a Dirichlet for two), so that answers of a group are alike to a known
degree: the intraclass correlation. A second table has scores between right and wrong, such as F1,
most of them high. What is counted, over `--runs` simulated tests a row:

- coverage: how often the 95 % interval holds the true score, or the true difference of two;
- false positives: how often two models that do not differ are called BETTER or WORSE;
- power: how often a model that is better by the difference stated as the least that would show
  is called BETTER; the difference is stated from one simulated test and looked for in another.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from foundry.evals.statistics import (  # noqa: E402
    Difference,
    detectable,
    interval,
    paired_difference,
    verdict,
)
from scripts.performance import machine, put_section  # noqa: E402

PAGE = ROOT / "docs" / "evaluation.md"
SECTION = "Do the statistics keep what they say?"
SEED = 20261126
LEVEL, FALSE, POWER = 0.95, 0.05, 0.8
SHARES = (0.8, 0.95)
DISCORDANT, GAIN = 0.2, 0.1
"""Two models answer a fifth of the questions otherwise, as a base and its tuned model may."""
COLUMNS = (
    *("n", "in a group", "correlation", "coverage at 80", "coverage at 95"),
    *("coverage of a difference", "false positives", "least difference", "power there"),
)
ABOUT = """\
Simulated tests of right and wrong answers: n questions in groups of up to so many, whose answers
are alike to the given intraclass correlation. Coverage is how often the 95 % interval holds the
truth (of a score of 80 or 95 of 100, and of a difference of 10 points between models that answer
every fifth question otherwise); it may be above 95 %, where data are few or coarse, and must not
be below. False positives are equal models that are called BETTER or WORSE: at most 5 %. The least
difference is the median of what reports state beside NO DIFFERENCE, in points; its power, how
often a model that much better is called BETTER, must not be below 80 %. “–”: too little data for
any difference, and reports say NOT ENOUGH DATA. Each figure is a share of {runs} tests and may be
off by three standard errors: {slack}.
"""

GRADED_SHARES = (0.5, 0.85, 0.95)
GRADED_PAIR = (0.97, 0.85)
"""Mean scores of two models; between the two lies the difference whose coverage is counted."""
SPREAD = 4.0
"""Scores of an item of rate r are beta(4 r, 4 (1 - r)): many near 1, some anywhere, few near 0."""
GRADED_COLUMNS = (
    *("groups", "in a group", *(f"coverage at {100 * share:g}" for share in GRADED_SHARES)),
    *("coverage of a difference", "false positives"),
)
GRADED_ABOUT = """\
The same for scores between right and wrong (a beta distribution about the rate of the group, rates
being alike to 0.3): how often the interval holds a score of 50, 85 or 95 of 100, and the difference
of {apart:g} points between models of {a:g} and {b:g} whose answers are independent; and how often
two models of {b:g} that give most items the same score are called BETTER or WORSE.
"""
GRADED_CORRELATION, SAME_SCORE = 0.3, 0.6

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A test of `n` items in groups of 1 to `largest`; `correlation` 0..1 within a group."""

    n: int
    largest: int
    correlation: float


class Kept(NamedTuple):
    """The figures of a shape, all shares of the runs but `least`; None where nothing is stated."""

    share_coverage: tuple[float, ...]
    difference_coverage: float
    false_positives: float
    least: float | None
    power: float | None


SHAPES = [
    Shape(n, largest, correlation)
    for n in (40, 100, 200, 500)
    for largest, correlation in ((1, 0.0), (3, 0.2), (6, 0.0), (6, 0.2), (6, 0.5))
]


def slack(share: float, runs: int) -> float:
    """Three standard errors of a share counted over `runs` simulated tests."""
    return 3 * math.sqrt(share * (1 - share) / runs)


def simulate(shape: Shape, *, runs: int, seed: int) -> Kept:
    """Every figure of a shape."""
    rng = np.random.default_rng(seed)
    coverage = tuple(share_coverage(shape, share, runs, rng) for share in SHARES)
    gains = [_pair(shape, DISCORDANT, GAIN, rng) for _ in range(runs)]
    covered = sum(found.low <= GAIN <= found.high for found in gains)
    equals = [_pair(shape, DISCORDANT, 0.0, rng) for _ in range(runs)]
    wrong = sum(verdict(found) in ("BETTER", "WORSE") for found in equals)
    stated = [least for found in equals if (least := detectable(found)) is not None]
    shown = [
        verdict(_pair(shape, max(DISCORDANT, least), least, rng)) == "BETTER" for least in stated
    ]
    return Kept(
        coverage,
        covered / runs,
        wrong / runs,
        float(np.median(stated)) if stated else None,
        sum(shown) / len(shown) if stated else None,
    )


def share_coverage(shape: Shape, share: float, runs: int, rng: np.random.Generator) -> float:
    """How often the interval of a score holds `share`, which is what is drawn."""
    hits = 0
    for _ in range(runs):
        sizes = _sizes(shape, rng)
        right = _drawn(sizes, np.array([share, 1 - share]), shape.correlation, rng)[:, 0]
        scores = [s for k, m in zip(right, sizes, strict=True) for s in [1.0] * k + [0.0] * (m - k)]
        found = interval(scores, _names(sizes))
        assert found.low is not None and found.high is not None
        hits += found.low <= share <= found.high
    return hits / runs


def _pair(shape: Shape, discordant: float, gain: float, rng: np.random.Generator) -> Difference:
    """Two models on one simulated test, the first better by `gain`."""
    sizes = _sizes(shape, rng)
    chances = np.array([(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant])
    kinds = _drawn(sizes, chances, shape.correlation, rng)
    a = [s for won, lost, same in kinds for s in [1.0] * won + [0.0] * lost + [1.0] * same]
    b = [s for won, lost, same in kinds for s in [0.0] * won + [1.0] * lost + [1.0] * same]
    return paired_difference(a, b, _names(sizes), seed=0)


def _sizes(shape: Shape, rng: np.random.Generator) -> Counts:
    sizes: list[int] = []
    while (left := shape.n - sum(sizes)) > 0:
        sizes.append(min(left, int(rng.integers(1, shape.largest + 1))))
    return np.array(sizes)


def _drawn(
    sizes: Counts, chances: NDArray[np.float64], correlation: float, rng: np.random.Generator
) -> Counts:
    """How many items of each group are of each kind, shape (G, K).

    Rates of a group are Dirichlet with parameters chances * (1 - r) / r, which makes r the
    correlation of two items of a group (Johnson, Kotz and Balakrishnan 1997, "Discrete
    Multivariate Distributions", chapter 35.13).
    """
    rates = np.tile(chances, (len(sizes), 1))
    if correlation:
        weights = np.maximum(chances, 1e-12) * (1 - correlation) / correlation
        rates = rng.dirichlet(weights, len(sizes))
    return rng.multinomial(sizes, rates)


def _names(sizes: Counts) -> list[str]:
    return [str(group) for group, size in enumerate(sizes) for _ in range(size)]


def head(columns: tuple[str, ...]) -> tuple[str, str]:
    """The head of a table of numbers."""
    return f"| {' | '.join(columns)} |", f"| {' | '.join(['--:'] * len(columns))} |"


def table(runs: int, tell: Callable[[str], None]) -> Iterator[str]:
    """The rows of the table, each told when it is made."""
    yield from head(COLUMNS)
    for number, shape in enumerate(SHAPES):
        kept = simulate(shape, runs=runs, seed=SEED + number)
        least, power = (
            "–" if kept.least is None else f"{100 * kept.least:.1f}",
            "–" if kept.power is None else f"{100 * kept.power:.1f} %",
        )
        shares = (*kept.share_coverage, kept.difference_coverage, kept.false_positives)
        figures = [f"{100 * share:.1f} %" for share in shares]
        cells = [str(shape.n), str(shape.largest), f"{shape.correlation:g}", *figures, least, power]
        row = f"| {' | '.join(cells)} |"
        tell(row)
        yield row


class GradedKept(NamedTuple):
    """The figures of scores between right and wrong, all shares of the runs."""

    share_coverage: tuple[float, ...]
    difference_coverage: float
    false_positives: float


GRADED_SHAPES = [(groups, largest) for groups in (6, 12, 19, 40) for largest in (1, 6)]


def simulate_graded(groups: int, largest: int, *, runs: int, seed: int) -> GradedKept:
    """Every figure of so many groups of 1 to `largest` items."""
    rng = np.random.default_rng(seed)
    covered = []
    for share in GRADED_SHARES:
        hits = 0
        for _ in range(runs):
            sizes = rng.integers(1, largest + 1, groups)
            found = interval(_graded(share, sizes, rng).tolist(), _names(sizes))
            assert found.low is not None and found.high is not None
            hits += found.low <= share <= found.high
        covered.append(hits / runs)
    apart = GRADED_PAIR[0] - GRADED_PAIR[1]
    pairs = [_graded_pair(GRADED_PAIR, 0.0, (groups, largest), rng) for _ in range(runs)]
    held = sum(found.low <= apart <= found.high for found in pairs)
    equal = (GRADED_PAIR[1],) * 2
    equals = [_graded_pair(equal, SAME_SCORE, (groups, largest), rng) for _ in range(runs)]
    wrong = sum(verdict(found) in ("BETTER", "WORSE") for found in equals)
    return GradedKept(tuple(covered), held / runs, wrong / runs)


def _graded(share: float, sizes: Counts, rng: np.random.Generator) -> Floats:
    """A score of each item, its mean over all groups there could be being `share`."""
    weight = (1 - GRADED_CORRELATION) / GRADED_CORRELATION
    rates = np.repeat(rng.beta(weight * share, weight * (1 - share), len(sizes)), sizes)
    return rng.beta(np.maximum(SPREAD * rates, 1e-3), np.maximum(SPREAD * (1 - rates), 1e-3))


def _graded_pair(
    shares: tuple[float, ...], same: float, shape: tuple[int, int], rng: np.random.Generator
) -> Difference:
    groups, largest = shape
    sizes = rng.integers(1, largest + 1, groups)
    a, b = (_graded(share, sizes, rng) for share in shares)
    b = np.where(rng.random(len(b)) < same, a, b)
    return paired_difference(a.tolist(), b.tolist(), _names(sizes), seed=0)


def graded_table(runs: int, tell: Callable[[str], None]) -> Iterator[str]:
    """The rows of the second table, each told when it is made."""
    yield from head(GRADED_COLUMNS)
    for number, (groups, largest) in enumerate(GRADED_SHAPES):
        kept = simulate_graded(groups, largest, runs=runs, seed=SEED + 100 + number)
        shares = (*kept.share_coverage, kept.difference_coverage, kept.false_positives)
        row = f"| {groups} | {largest} | {' | '.join(f'{100 * x:.1f} %' for x in shares)} |"
        tell(row)
        yield row


def main() -> None:
    """Simulate, print, and with `--write` put the table into docs/evaluation.md."""
    options = parse("Simulate the statistics of reports.", 1000)
    rows = list(table(options.runs, lambda row: print(row, flush=True)))
    graded = list(graded_table(options.runs, lambda row: print(row, flush=True)))
    if options.write:
        bounds = (LEVEL, FALSE, POWER)
        of = "{:.1f} points around 95 %, {:.1f} around 5 %, {:.1f} around 80 %"
        apart = of.format(*(100 * slack(share, options.runs) for share in bounds))
        about = ABOUT.format(runs=f"{options.runs:,}", slack=apart)
        made = f"`python scripts/simulate_statistics.py --runs {options.runs} --write`"
        a, b = (100 * share for share in GRADED_PAIR)
        second = GRADED_ABOUT.format(apart=round(a - b, 1), a=a, b=b)
        told = f"{made}, seed {SEED}; {machine(['numpy', 'scipy'])}\n"
        body = "\n".join([about, told, *rows, "", second, *graded])
        put_section(PAGE, SECTION, body)


def parse(what: str, runs: int) -> argparse.Namespace:
    """How many tests are simulated, and whether the page is written."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--runs", type=int, default=runs, help="simulated tests a row")
    parser.add_argument("--write", action="store_true", help=f"write into {PAGE.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
