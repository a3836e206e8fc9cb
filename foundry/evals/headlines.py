"""The few sentences a shop owner reads: what training changed, part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from foundry.evals.answers import Column
from foundry.evals.comparison import Comparison
from foundry.evals.metrics import WRONGLY_DECLINED
from foundry.evals.statistics import Difference, detectable, verdict
from foundry.evals.telling import main_metric
from foundry.evals.wording import Text, join, points, say

NO_OTHERS: Mapping[str, str] = {}


def headlines(comparison: Comparison, columns: Sequence[Column]) -> list[dict[str, str]]:
    """One sentence per part with its cautions, then wrong refusals, then each delivered file."""
    sentences = []
    for part in comparison.scores.parts:
        metric = main_metric(comparison, part)
        if metric is not None:
            sentences.append(_part(comparison, metric, part))
            sentences += _not_beaten(comparison, metric, part, columns)
    if WRONGLY_DECLINED in comparison.scores.metrics:
        own = comparison.scores.measured(WRONGLY_DECLINED, None, comparison.roles.tuned)
        count = sum(score > 0 for score, _group in own)
        if own:
            sentences.append(say("wrongly-declined", n=str(len(own)), count=str(count)))
    by_name = {column.name: column for column in columns}
    for name in comparison.roles.delivered:
        delivered, tuned = by_name[name], by_name[comparison.roles.tuned]
        own = delivered.own(comparison.scores.items)
        count, n = sum(tuned.answers[a.item_id].text == a.text for a in own), len(own)
        sentences.append(say("delivered", same=str(count), n=str(n), column=delivered.title))
    return sentences


def same_text(a: Column, b: Column) -> int:
    """How many items both columns answer with the same characters."""
    return sum(b.answers[key].text == answer.text for key, answer in a.answers.items())


def say_difference(
    difference: Difference, sentences: Mapping[str, str] = NO_OTHERS
) -> dict[str, str]:
    """The verdict on a difference in a sentence, with its size, its interval, and what could show.

    `sentences` names those to say in the place of a verdict's own.
    """
    found, least = verdict(difference), detectable(difference)
    alone = verdict(replace(difference, p_adjusted=None, comparisons=1))
    if found == "NO DIFFERENCE" and difference.mean == 0 and difference.p_value == 1.0:
        found_key = "no-difference-at-all"
    else:
        found_key = sentences.get(found, found)
    head = say(
        found_key,
        size=points(abs(difference.mean)),
        signed=points(difference.mean, signed=True),
        low=points(difference.low, signed=True),
        high=points(difference.high, signed=True),
        groups=str(difference.groups),
    )
    if alone in ("BETTER", "WORSE") and alone != found:
        head = join(head, say("one-of-many", count=str(difference.comparisons)))
    if found != "NO DIFFERENCE" or least is None:
        return head
    return join(head, say("detectable", detectable=points(least)))


def _part(comparison: Comparison, metric: str, part: str) -> dict[str, str]:
    tuned = comparison.roles.tuned
    base = comparison.best_base(metric, part)
    names: Mapping[str, str | Text] = {
        "part": comparison.part_title(part),
        "metric": comparison.metric_title(metric),
        "n": str(len(comparison.scores.measured(metric, part, tuned))),
    }
    if base is None:
        own = comparison.scores.interval(metric, part, tuned)
        found, low, high = (points(x or 0.0) for x in (own.mean, own.low, own.high))
        return say("headline-alone", **names, tuned=found, low=low, high=high)
    key, show = (
        ("headline-count", _count)
        if _whole(comparison, metric)
        else (
            "headline-mean",
            _points,
        )
    )
    head = say(
        key,
        **names,
        base=comparison.columns[base],
        tuned=show(comparison, metric, part, tuned),
        before=show(comparison, metric, part, base),
    )
    difference = comparison.difference(metric, part, tuned, base)
    return head if difference is None else join(head, say_difference(difference))


def _not_beaten(
    comparison: Comparison, metric: str, part: str, columns: Sequence[Column]
) -> list[dict[str, str]]:
    """A caution for each baseline that training has not clearly beaten here.

    A baseline with one answer for everything is left out: it can only win where every question
    is to be declined, and loses all the others.
    """
    cautions = []
    for column in columns:
        texts = {answer.text for answer in column.answers.values()}
        if column.name not in comparison.roles.naive or len(texts) < 2:
            continue
        difference = comparison.difference(metric, part, comparison.roles.tuned, column.name)
        if difference is not None and verdict(difference) in ("NO DIFFERENCE", "WORSE"):
            cautions.append(
                say(
                    "not-beaten",
                    part=comparison.part_title(part),
                    column=column.title,
                    naive=_points(comparison, metric, part, column.name),
                    tuned=_points(comparison, metric, part, comparison.roles.tuned),
                )
            )
    return cautions


def _whole(comparison: Comparison, metric: str) -> bool:
    """Whether every score of the metric is 0 or 1, so that right answers can be counted."""
    return all(
        value in (None, 0.0, 1.0)
        for (name, _column), row in comparison.scores.values.items()
        if name == metric
        for value in row
    )


def _count(comparison: Comparison, metric: str, part: str, column: str) -> str:
    return str(sum(score > 0 for score, _ in comparison.scores.measured(metric, part, column)))


def _points(comparison: Comparison, metric: str, part: str, column: str) -> str:
    return points(comparison.scores.mean(metric, part, column) or 0.0)
