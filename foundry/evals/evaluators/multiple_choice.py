"""Evaluator `multiple-choice`: the answer chooses the right option of a question, and only that.

The answer is what the model wrote, so how it is read counts as much as what it says
(`foundry.evals.choices`): an answer that chooses none, or several, is unparsed, wrong, and counted
apart. Whether a model favours a letter is measured too, since one that always says A is right on
a quarter of a balanced test.

Source of the caution: Zheng et al. (2024), "Large Language Models Are Not Robust Multiple Choice
Selectors", arXiv 2309.03882.
"""

from collections import Counter
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.evals.answers import Answer, Item
from foundry.evals.choices import LETTER, chosen, options_of
from foundry.evals.companions import Companion, Counts, PooledCompanion, Sums, Table, share
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 2  # 1 took a letter that is ruled out for the choice
TITLE = {"en": "Right choice", "zh-TW": "選擇題答對"}
EXPLAIN = {
    "en": "The answer chooses the right option, by its letter or its text, and no other.",
    "zh-TW": "答案選了正確的選項（說出代號或內容），而且只選這一個。",
}


class Spec(InParts):
    """Which test parts to score."""


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec as it is.

    Raises:
        RecipeError: The reference of a question with options chooses none of them.
    """
    unread = [
        f"{item.example.source}:{item.example.line}"
        for item in items
        if item.is_in(spec.parts) and _options(item) and _right(item) is None
    ]
    if unread:
        what = _("the answers of {n} questions with options choose none (the first is {place})")
        fix = _(
            "let the answer be the letter of the option, or its text; other questions belong in "
            "a part of their own, beside `parts`"
        )
        told = what.format(n=len(unread), place=unread[0])
        raise RecipeError(Problem("evals.multiple-choice", told, fix))
    return spec


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the right option is chosen, else 0.0; None for a question without options."""
    if not _applies(item, spec):
        return None
    return float(_chosen(item, answer) == _right(item))


def tables(items: Sequence[Item], answers: Sequence[Answer], spec: Spec) -> tuple[Table, ...]:
    """For each place: how often it is right, how often it was chosen, how often rightly."""
    right = [_right(item) for item in items]
    said = [_chosen(item, answer) for item, answer in zip(items, answers, strict=True)]
    wanted, chose = Counter(right), Counter(said)
    hits = Counter(r for r, s in zip(right, said, strict=True) if r == s)
    most = max(len(_options(item)) for item in items)
    rows: list[tuple[object, ...]] = [
        (ascii_uppercase[n], wanted[n], chose[n], hits[n]) for n in range(most)
    ]
    nothing = {"en": "(none, or several)", "zh-TW": "（沒選或選了好幾個）"}
    title = {"en": "Which letters were chosen", "zh-TW": "選了哪些代號"}
    explain = {
        "en": "A model that favours a letter chooses it far more often than it is right.",
        "zh-TW": "偏好某個代號的模型，選它的次數會遠多於它是正解的次數。",
    }
    heads = (
        {"en": "Letter", "zh-TW": "代號"},
        {"en": "Is right", "zh-TW": "是正解"},
        {"en": "Chosen", "zh-TW": "被選"},
        {"en": "Rightly chosen", "zh-TW": "選對"},
    )
    return (Table("letters", title, explain, heads, (*rows, (nothing, 0, chose[None], 0))),)


def _options(item: Item) -> tuple[str, ...]:
    asked = [turn.content for turn in item.example.prompt if turn.role == "user"]
    return options_of(asked[-1]) if asked else ()


def _right(item: Item) -> int | None:
    return chosen(item.example.fields.get(LETTER, item.example.answer), _options(item))


def _chosen(item: Item, answer: Answer) -> int | None:
    return chosen(answer.text, _options(item))


def _applies(item: Item, spec: Spec) -> bool:
    return item.is_in(spec.parts) and bool(_options(item)) and _right(item) is not None


def _parsed(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(_chosen(item, answer) is not None) if _applies(item, spec) else None


def _observe(item: Item, answer: Answer, spec: Spec) -> Counts | None:
    if not _applies(item, spec):
        return None
    place = _chosen(item, answer)
    if place is None:
        return {}
    return {f"wanted {_right(item)}": 1, f"said {place}": 1}


def _position_bias(sums: Sums) -> "Array":
    """Total variation distance between where choices fall and where the right options stand."""
    n = sum(value for name, value in sums.items() if name.startswith("said "))
    places = sorted({name.split(" ")[1] for name in sums})
    apart = sum(abs(sums.get(f"said {p}", 0) - sums.get(f"wanted {p}", 0)) for p in places)
    return share(apart, 2 * n)


COMPANIONS = (
    Companion(
        "multiple-choice-parse-rate",
        {"en": "Chooses one option", "zh-TW": "選出唯一的選項"},
        {
            "en": "The answer chooses exactly one option, right or wrong.",
            "zh-TW": "答案選出一個選項，而且只有一個，不論對錯。",
        },
        _parsed,
    ),
    PooledCompanion(
        "multiple-choice-position-bias",
        {"en": "Favours a position", "zh-TW": "偏好某個位置"},
        {
            "en": "The share of the choices that would have to move for the letters to be chosen "
            "as often as they are right; the less the better. Chance alone gives some.",
            "zh-TW": "要讓各代號被選的次數等於它是正解的次數，得移動多少比例的選擇；越少越好。"
            "題目少時，光是碰巧就會有一些。",
        },
        _observe,
        _position_bias,
        lower_is_better=True,
    ),
)
