"""The numbers a recipe's `evals` ask for: each evaluator's score and its companions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.evals.aggregates import Mean, Pooled
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, PooledCompanion, Table, Text

DECLINES = "declines"
WRONGLY_DECLINED = "wrongly-declined"

Tables = Callable[[Sequence[Item], Sequence[Answer]], Sequence[Table]]


@dataclass(frozen=True)
class Metric:
    """A number between 0 and 1, and how it is made of the answers.

    `of_models` says that only a model can have it: a baseline copies answers and always stops.
    `companion_of` is the evaluator whose companion it is, None for an evaluator's main metric,
    which is always a mean. `of_pairs` says that answers have it only beside another model's, and
    `of_tuned` that no delivered file is measured by it: a judge compares the tuned model alone.
    `graded` says that an answer may be between right and wrong.
    """

    name: str
    title: Text
    explain: Text
    version: int
    spec: Mapping[str, Any]
    aggregate: Mean | Pooled
    lower_is_better: bool = False
    of_models: bool = False
    companion_of: str | None = None
    of_pairs: bool = False
    of_tuned: bool = False
    graded: bool = False
    tables: Tables | None = None

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if self.lower_is_better else 1


def metrics_of(evals: Sequence[Block], items: Sequence[Item]) -> list[Metric]:
    """The metrics of each block in the recipe's order, its companions after its main one.

    Raises:
        RecipeError: Two blocks of one kind, whose scores would have one name; an evaluator that
            does not fit the items or can score none, most likely for a misspelt column.
    """
    kinds = [block.kind for block in evals]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        what, fix = _("the evaluator `{kind}` is asked for twice"), _("keep one of the two")
        raise RecipeError([Problem("evals", what.format(kind=kind), fix) for kind in twice])
    metrics = [metric for block in evals for metric in _metrics(block, items)]
    _check_applies(metrics, items)
    return metrics


def that_score(evals: Sequence[Block], items: Sequence[Item]) -> list[Block]:
    """The blocks that can score any of the items; those that bring their own questions cannot."""
    return [block for block in evals if any(_scores(m, items) for m in _metrics(block, items))]


def _scores(metric: Metric, items: Sequence[Item]) -> bool:
    return metric.companion_of is None and (metric.of_pairs or _applies(metric, items))


def _check_applies(metrics: Sequence[Metric], items: Sequence[Item]) -> None:
    """An empty answer is scored in place of the real ones: whether a metric applies is a property
    of the item.
    """
    what, fix = _("can score none of the {n} test items"), _("check its parts and its columns")
    problems = [
        Problem(f"evals.{metric.name}", what.format(n=len(items)), fix)
        for metric in metrics
        if metric.companion_of is None and not metric.of_pairs and not _applies(metric, items)
    ]
    if problems:
        raise RecipeError(problems)


def _applies(metric: Metric, items: Sequence[Item]) -> bool:
    empty = [Answer(item.example.id, "", 0, stopped=True) for item in items]
    scores = map(metric.aggregate.observe, items, empty)
    return any(score is not None for score in scores)


def _metrics(block: Block, items: Sequence[Item]) -> Iterator[Metric]:
    module = plugins.load("evaluator", block.kind)
    settle = plugins.optional(module, "settle")
    own = [item for item in items if _is_for(item, block.kind)]
    spec = block.spec if settle is None else settle(own, block.spec)
    of_models, of_pairs = (bool(plugins.optional(module, n)) for n in ("OF_MODELS", "OF_PAIRS"))
    tables = plugins.optional(module, "tables")
    main = Metric(
        name=block.kind,
        title=module.TITLE,
        explain=module.EXPLAIN,
        version=module.version,
        spec=spec.model_dump(mode="json"),
        aggregate=Mean(block.kind, _own(module.score, block.kind, spec)),
        of_models=of_models,
        of_pairs=of_pairs,
        of_tuned=of_pairs,
        graded=bool(plugins.optional(module, "GRADED")),
        tables=None if tables is None else partial(tables, spec=spec),
    )
    yield main
    for companion in plugins.optional(module, "COMPANIONS") or ():
        yield _companion(companion, main, spec)


def _companion(companion: Companion | PooledCompanion, main: Metric, spec: BaseModel) -> Metric:
    aggregate: Mean | Pooled
    of_tuned = main.of_tuned
    if isinstance(companion, PooledCompanion):
        counts = _own(companion.observe, main.name, spec)
        aggregate = Pooled(companion.name, counts, companion.statistic)
    else:
        aggregate = Mean(companion.name, _own(companion.score, main.name, spec))
        of_tuned |= companion.of_tuned
    return Metric(
        name=companion.name,
        title=companion.title,
        explain=companion.explain,
        version=main.version,
        spec=main.spec,
        aggregate=aggregate,
        lower_is_better=companion.lower_is_better,
        of_models=main.of_models,
        companion_of=main.name,
        of_tuned=of_tuned,
    )


def _own(observe: Callable[..., Any], kind: str, spec: BaseModel) -> Callable[[Item, Answer], Any]:
    """`observe` for the recipe's questions and those of its own evaluator; None for the others."""

    def observed(item: Item, answer: Answer) -> Any:
        return observe(item, answer, spec) if _is_for(item, kind) else None

    return observed


def _is_for(item: Item, kind: str) -> bool:
    return item.brought_by in (None, kind)
