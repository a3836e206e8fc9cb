"""Evaluator `format`: the share of answers whose form is as asked, every check of it.

The checks (`foundry.evals.checks`) stand in the recipe, in a column of the row as a JSON object,
or in both; the row's own win. This is IFEval's strict accuracy by prompt; the share of single
checks that are kept, its accuracy by instruction, stands beside it.

Source: Zhou et al. (2023), arXiv 2311.07911, section 2.2.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError, model_validator

from foundry.core.errors import Problem, RecipeError
from foundry.core.fields import Refused
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item
from foundry.evals.checks import Checks, kept
from foundry.evals.companions import PooledCompanion, Sums, Table, share
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 1
TITLE = {"en": "Keeps to the form", "zh-TW": "符合格式要求"}
EXPLAIN = {
    "en": "The answer keeps every rule of form it was given: length, sentences, words to say or "
    "to avoid, lists, JSON, language. Form alone is looked at, not whether the answer is true.",
    "zh-TW": "答案遵守每一項格式要求：長度、句數、該說或不該說的詞、條列、JSON、語言。這裡只看"
    "格式，不看內容是否正確。",
}
NAMES = {
    "characters": {"en": "number of characters", "zh-TW": "字元數"},
    "words": {"en": "number of words", "zh-TW": "字詞數"},
    "sentences": {"en": "number of sentences", "zh-TW": "句數"},
    "paragraphs": {"en": "number of paragraphs", "zh-TW": "段落數"},
    "bullets": {"en": "number of list lines", "zh-TW": "條列項數"},
    "contains": {"en": "says what it must", "zh-TW": "說出指定的詞"},
    "excludes": {"en": "avoids what it must not say", "zh-TW": "避開禁用的詞"},
    "keywords": {"en": "says words as often as asked", "zh-TW": "關鍵詞次數"},
    "starts_with": {"en": "begins as asked", "zh-TW": "開頭符合"},
    "ends_with": {"en": "ends as asked", "zh-TW": "結尾符合"},
    "json_only": {"en": "JSON and nothing else", "zh-TW": "只有 JSON"},
    "no_markdown": {"en": "no Markdown", "zh-TW": "沒有 Markdown 標記"},
    "language": {"en": "language", "zh-TW": "語言"},
}


class Spec(InParts):
    """Which checks, and where a row's own stand."""

    checks: Checks = Field(Checks(), description="Checks of every answer.")
    column: str | None = Field(
        None,
        min_length=1,
        description='Column with a row\'s own checks as JSON, such as {"characters": {"max": 50}}.',
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.checks == Checks() and self.column is None:
            raise Refused(_("nothing is to be checked"), _("add `checks` or `column` to it"))
        return self


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec as it is.

    Raises:
        RecipeError: A row's checks cannot be read; names each such row.
    """
    problems = []
    for item in (item for item in items if item.is_in(spec.parts)):
        try:
            _checks(item, spec)
        except (ValueError, TypeError) as error:
            problems.append(_problem(item, spec, error))
    if problems:
        raise RecipeError(problems)
    return spec


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer keeps every check, else 0.0; None where nothing is asked of the row."""
    results = _kept(item, answer, spec)
    return float(all(results.values())) if results else None


def single_checks(item: Item, answer: Answer, spec: Spec) -> Mapping[str, float] | None:
    """How many checks were asked of the answer, and how many it keeps."""
    results = _kept(item, answer, spec)
    return {"asked": len(results), "kept": sum(results.values())} if results else None


def share_kept(sums: Sums) -> "Array":
    """Checks kept of those asked; 0.0 where none was asked."""
    return share(sums.get("kept", 0.0), sums.get("asked", 0.0))


COMPANIONS = (
    PooledCompanion(
        name="format-single-checks",
        title={"en": "Single rules of form kept", "zh-TW": "個別格式要求達成率"},
        explain={
            "en": "Of all the single rules of form, how many are kept.",
            "zh-TW": "所有個別格式要求中，遵守了多少。",
        },
        observe=single_checks,
        statistic=share_kept,
    ),
)


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> list[Table]:
    """For each check how often it was asked and kept."""
    asked: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for item, answer in zip(items, answers, strict=True):
        results = _kept(item, answer, spec)
        asked.update(results.keys())
        held.update(name for name, is_kept in results.items() if is_kept)
    return [
        Table(
            name="checks",
            title={"en": "Each rule of form", "zh-TW": "各項格式要求"},
            explain={"en": "How often it was asked, and kept.", "zh-TW": "要求幾次，遵守幾次。"},
            columns=(
                {"en": "Rule", "zh-TW": "要求"},
                {"en": "Asked", "zh-TW": "要求次數"},
                {"en": "Kept", "zh-TW": "遵守次數"},
            ),
            rows=tuple((NAMES[name], asked[name], held[name]) for name in NAMES if asked[name]),
        )
    ]


def _kept(item: Item, answer: Answer, spec: Spec) -> dict[str, bool]:
    return kept(answer.text, _checks(item, spec)) if item.is_in(spec.parts) else {}


def _checks(item: Item, spec: Spec) -> Checks:
    own = item.example.fields.get(spec.column, "").strip() if spec.column else ""
    return _read(own, spec.checks) if own else spec.checks


def _read(text: str, common: Checks) -> Checks:
    """The row's checks over those of the recipe.

    Raises:
        ValueError: No JSON, or no checks (pydantic's error is one).
        TypeError: JSON, but no object.
    """
    own: Any = json.loads(text)
    if not isinstance(own, dict):
        raise TypeError
    return Checks.model_validate({**common.model_dump(exclude_defaults=True), **own})


def _problem(item: Item, spec: Spec, error: Exception) -> Problem:
    where = f"{item.example.source}:{item.example.line}: {spec.column}"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    else:
        what = _("the checks are no JSON object")
    return Problem(where, what, _("write them as {example}").format(example=EXAMPLE))


EXAMPLE = '`{"characters": {"max": 50}}`'
