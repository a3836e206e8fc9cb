"""The numbers a recipe's `evals` ask for: each evaluator's score, and declining's other side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item

DECLINES = "declines"
WRONGLY_DECLINED = "wrongly-declined"
STOP_RATE = "stop-rate"

Score = Callable[[Item, Answer], float | None]


@dataclass(frozen=True)
class Metric:
    """A number between 0 and 1 per answer.

    `of_models` says that only a model can have it: a baseline copies answers and always stops.
    """

    name: str
    title: Mapping[str, str]
    explain: Mapping[str, str]
    version: int
    spec: Mapping[str, Any]
    score: Score
    lower_is_better: bool = False
    of_models: bool = False

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if self.lower_is_better else 1


def metrics_of(evals: Sequence[Block]) -> list[Metric]:
    """One metric per block, in the recipe's order, and one more for `declines`.

    Raises:
        RecipeError: Two blocks of one kind, whose scores would have one name.
    """
    kinds = [block.kind for block in evals]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        what, fix = _("the evaluator `{kind}` is asked for twice"), _("keep one of the two")
        raise RecipeError([Problem("evals", what.format(kind=kind), fix) for kind in twice])
    return [metric for block in evals for metric in _metrics(block)]


def check_evals(evals: Sequence[Block], items: Sequence[Item]) -> None:
    """Refuse an evaluator that can score no item, before any answer is paid for.

    An empty answer is scored in place of the answers to come: whether a metric applies is a
    property of the item.

    Raises:
        RecipeError: Names each such evaluator; a column it reads is most likely misspelt.
    """
    what, fix = _("can score none of the {n} test items"), _("check its parts and its columns")
    problems = [
        Problem(f"evals.{metric.name}", what.format(n=len(items)), fix)
        for metric in metrics_of(evals)
        if metric.name != WRONGLY_DECLINED
        and all(metric.score(i, Answer(i.example.id, "", 0, stopped=True)) is None for i in items)
    ]
    if problems:
        raise RecipeError(problems)


def _metrics(block: Block) -> list[Metric]:
    module = plugins.load("evaluator", block.kind)
    main = Metric(
        name=block.kind,
        title=module.TITLE,
        explain=module.EXPLAIN,
        version=module.version,
        spec=block.spec.model_dump(mode="json"),
        score=partial(module.score, spec=block.spec),
        of_models=block.kind == STOP_RATE,
    )
    if block.kind != DECLINES:
        return [main]
    other = Metric(
        name=WRONGLY_DECLINED,
        title=module.WRONGLY_TITLE,
        explain=module.WRONGLY_EXPLAIN,
        version=module.version,
        spec=main.spec,
        score=partial(module.wrongly_declined, spec=block.spec),
        lower_is_better=True,
    )
    return [main, other]
