"""From items and columns to one report: scores, differences, gates, telling answers.

The report is plain JSON without NaN and the same byte for byte for the same input: it holds no
time of day, and every random draw has the seed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from foundry.core import atomic
from foundry.core.blocks import Block
from foundry.core.recipe import Gate
from foundry.evals import power, statistics, swaps
from foundry.evals.answer_costs import answer_costs
from foundry.evals.answers import LONE_SURROGATE, Column, Item
from foundry.evals.comparison import Comparison, Contrast, Roles, rounded
from foundry.evals.contamination import Overlap
from foundry.evals.gates import judge
from foundry.evals.headlines import headlines, same_text, say_difference
from foundry.evals.methods import methods
from foundry.evals.metrics import Metric, metrics_of
from foundry.evals.peers import peer_headlines, say_apart, telling_of_peers
from foundry.evals.scoring import Scores, score_all
from foundry.evals.settings import check_peers, check_settings, differing
from foundry.evals.statistics import Difference
from foundry.evals.tables import tables_of
from foundry.evals.telling import main_metric, outcomes, telling_answers
from foundry.evals.uncontaminated import contamination, contamination_headlines
from foundry.evals.wording import LANGUAGES, Text
from foundry.store.ledger import Charges

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Measures:
    """What a recipe wants measured and what it wants kept; `metrics` are no evaluator's."""

    evals: Sequence[Block]
    gates: Sequence[Gate] = ()
    metrics: Sequence[Metric] = ()


@dataclass(frozen=True)
class Evidence:
    """What a report shows beside the scores; nothing here is computed with.

    Args:
        title: The recipe's title per language.
        part_titles: Titles of test parts per language, where the recipe gives them.
        curve: Points `{step, loss, ...}` of the training.
        facts: For the engineer: recipe, plan, overlap, mask, proof, parity, timings, hashes.
        charges: What the machine draws and a kWh costs, where that is known.
        languages: Which languages the page shows.
    """

    title: Text
    part_titles: Mapping[str, Text] = field(default_factory=dict)
    curve: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    charges: Charges = field(default_factory=Charges)
    languages: tuple[str, ...] = LANGUAGES


@dataclass(frozen=True)
class Measured:
    """Every answer with its scores, before it is put into words and numbers.

    `overlaps` are the questions that training rows hold too; None where nobody looked.
    """

    columns: Sequence[Column]
    comparison: Comparison
    gates: Sequence[Gate]
    overlaps: Sequence[Overlap] | None = None

    @property
    def reference(self) -> Column:
        """The column that the others are compared with."""
        return next(c for c in self.columns if c.name == self.comparison.roles.reference)


def measure(
    items: Sequence[Item],
    columns: Sequence[Column],
    *,
    measures: Measures,
    roles: Roles,
    part_titles: Mapping[str, Text],
    seed: int,
) -> Measured:
    """Score every answer once.

    Raises:
        DataError: A column has no answer to some item.
        ProofError: The models were not asked alike (C28); an evaluator gave no number in 0..1.
        RecipeError: Two evaluators of one kind, or one that can score nothing.
    """
    metrics = [*measures.metrics, *metrics_of(measures.evals, items)]
    models = [column for column in columns if column.name not in roles.naive]
    if roles.tuned is None:
        check_peers(models)
    else:
        check_settings(models, base=roles.base, tuned=roles.tuned, delivered=roles.delivered)
    scores = score_all(items, columns, metrics, naive=roles.naive, seed=seed)
    titles = {column.name: column.title for column in columns}
    return Measured(columns, Comparison(scores, roles, titles, part_titles), measures.gates)


def report_on(measured: Measured, evidence: Evidence) -> dict[str, Any]:
    """Everything measured, as `report.json` holds it."""
    comparison, columns = measured.comparison, measured.columns
    scores = comparison.scores
    gates = judge(measured.gates, comparison)
    found = measured.overlaps
    overlap = None if found is None else contamination(comparison, found, measured.gates)
    report = {
        "schema_version": SCHEMA_VERSION,
        "title": evidence.title,
        "languages": evidence.languages,
        "method": method(scores.seed),
        "headlines": [
            *_headlines(comparison, columns),
            *([] if overlap is None else contamination_headlines(overlap, comparison)),
        ],
        "gates_passed": all(gate["passed"] for gate in gates),
        "gates": gates,
        "parts": [_part(part, comparison) for part in scores.parts],
        "metrics": [_metric(name, scores) for name in scores.metrics],
        "columns": [_column(column, measured.reference, comparison) for column in columns],
        "scores": list(_scores(comparison)),
        "differences": list(_differences(comparison)),
        "outcomes": [] if comparison.roles.tuned is None else outcomes(comparison),
        "contamination": overlap,
        "tables": list(tables_of(scores, columns)),
        "telling": _telling(columns, comparison),
        "costs": answer_costs(columns, scores.items, evidence.charges),
        "curve": evidence.curve,
        "facts": evidence.facts,
    }
    plain = to_plain(report)
    assert isinstance(plain, dict)
    return {**plain, "methods": methods(plain)}


def build_report(
    items: Sequence[Item],
    columns: Sequence[Column],
    *,
    measures: Measures,
    roles: Roles,
    evidence: Evidence,
    seed: int,
) -> dict[str, Any]:
    """`report_on` what `measure` finds."""
    titles = evidence.part_titles
    measured = measure(
        items, columns, measures=measures, roles=roles, part_titles=titles, seed=seed
    )
    return report_on(measured, evidence)


def to_plain(value: Any) -> Any:
    """Plain JSON values: tuples as lists, a number that is not finite as None, text as UTF-8.

    Raises:
        TypeError: A value JSON has no form for; names its type.
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, str):
        return LONE_SURROGATE.sub("\ufffd", value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"no JSON form for a value of type {type(value).__name__}")


def method(seed: int) -> dict[str, Any]:
    """How the statistics of a report are drawn."""
    return {
        "seed": seed,
        "level": statistics.LEVEL,
        "resamples": statistics.RESAMPLES,
        "permutations": swaps.MORE_PERMUTATIONS,
        "fewest_groups": statistics.FEWEST_GROUPS,
        "correction": "Holm",
        "power": power.POWER,
    }


def _headlines(comparison: Comparison, columns: Sequence[Column]) -> list[dict[str, str]]:
    if comparison.roles.tuned is None:
        return peer_headlines(comparison)
    return headlines(comparison, columns)


def _telling(columns: Sequence[Column], comparison: Comparison) -> list[dict[str, Any]]:
    if comparison.roles.tuned is None:
        return telling_of_peers(columns, comparison)
    return telling_answers(columns, comparison)


def _part(name: str, comparison: Comparison) -> dict[str, Any]:
    own = [item for item in comparison.scores.items if item.part == name]
    groups = [item.example.group for item in own]
    return {
        "name": name,
        "title": comparison.part_title(name),
        "brought_by": own[0].brought_by,
        "n": len(groups),
        "groups": len(set(groups)),
        "metric": main_metric(comparison, name),
    }


def _metric(name: str, scores: Scores) -> dict[str, Any]:
    metric = scores.metrics[name]
    return {
        "name": name,
        "title": metric.title,
        "explain": metric.explain,
        "version": metric.version,
        "lower_is_better": metric.lower_is_better,
        "companion_of": metric.companion_of,
        "spec": metric.spec,
    }


def _column(column: Column, tuned: Column, comparison: Comparison) -> dict[str, Any]:
    items = comparison.scores.items
    every = [i.example.id for i in items if i.example.id in column.answers]
    answers = column.own(items)
    role, n = comparison.roles.of(column.name), max(1, len(answers))
    common = {
        "name": column.name,
        "title": column.title,
        "role": role,
        "answers_sha256": atomic.fingerprint([column.answers[key].as_dict() for key in every]),
    }
    if role == "naive":
        return common
    seconds = column.seconds
    return common | {
        "seconds": rounded(seconds),
        "seconds_per_answer": None if seconds is None else rounded(seconds / n),
        "tokens_per_answer": rounded(sum(answer.tokens for answer in answers) / n),
        "same_text_as_tuned": same_text(column, tuned),
        "asked_unlike_tuned": differing(column, tuned),
        "settings": column.settings,
    }


def _scores(comparison: Comparison) -> Iterator[dict[str, Any]]:
    scores = comparison.scores
    for metric in scores.metrics:
        for part in scores.parts_of(metric):
            for column in comparison.columns:
                if scores.has(metric, column):
                    own = scores.interval(metric, part, column)
                    yield {"metric": metric, "part": part, "column": column, **_rounded(own)}


def _differences(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for contrast in comparison.contrasts:
        difference = contrast.difference
        yield {
            "metric": contrast.metric,
            "part": contrast.part,
            "kind": contrast.kind,
            "a": contrast.a,
            "b": contrast.b,
            **_rounded(difference),
            "detectable": rounded(statistics.detectable(difference)),
            "verdict": statistics.verdict(difference),
            "sentence": _sentence(comparison, contrast),
        }


def _sentence(comparison: Comparison, contrast: Contrast) -> dict[str, str]:
    """What a contrast says: of two peers which is higher, else what training changed."""
    if contrast.kind != "peers":
        return say_difference(contrast.difference)
    return say_apart(contrast.difference, comparison.scores.metrics[contrast.metric].sign)


def _rounded(value: statistics.Interval | Difference) -> dict[str, Any]:
    return {
        key: rounded(number) if isinstance(number, float) else number
        for key, number in asdict(value).items()
    }
