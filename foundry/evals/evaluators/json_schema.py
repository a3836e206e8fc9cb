"""Evaluator `json-schema`: the answer is JSON that fits the schema, and has the right fields.

The main score is validity: one strict JSON value (no key twice, no NaN, nothing behind it) that
fits the schema. A value in a code fence (```json) is taken out of it and counted apart, since a
program that reads the answer must do so too.

Fields are the leaves of a value: a path such as `items.0.price` with what stands there. A field is
right where the reference has the same value at the same path: numbers by value, texts normalised,
and 3, "3" and true are three values. Precision, recall and F1 are pooled over all items (micro).
An answer that is no JSON has no fields.

Source of the schema language: https://json-schema.org/draft/2020-12.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.data.json_answer import FENCE, read_answer
from foundry.data.normalising import normalise
from foundry.data.record_schema import AnswerSchema
from foundry.data.strict_json import JsonFault
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion, Counts, PooledCompanion, Sums, share
from foundry.evals.parts import InParts

if TYPE_CHECKING:
    from foundry.evals.companions import Array

version = 1
TITLE = {"en": "Valid JSON", "zh-TW": "JSON 合乎結構"}
EXPLAIN = {
    "en": "The answer is one JSON value that fits the schema, so that a program can read it.",
    "zh-TW": "答案是一筆合乎結構定義（schema）的 JSON，程式讀得進去。",
}


class Spec(AnswerSchema, InParts):
    """What an answer must look like."""


def settle(items: Sequence[Item], spec: Spec) -> Spec:
    """The spec as it is.

    Raises:
        RecipeError: A reference that is JSON does not fit the schema, so that no answer could be
            both right and valid.
    """
    wrong = []
    for item in items:
        found, value = read_answer(item.example.answer)
        if item.is_in(spec.parts) and found and not _fits(value, spec):
            wrong.append(f"{item.example.source}:{item.example.line}")
    if wrong:
        what = _("the answers of {n} test rows do not fit the schema (the first is {place})")
        where, fix = "evals.json-schema", _("correct the schema or the rows")
        raise RecipeError(Problem(where, what.format(n=len(wrong), place=wrong[0]), fix))
    return spec


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer is JSON that fits the schema, else 0.0."""
    if not item.is_in(spec.parts):
        return None
    found, value = read_answer(answer.text)
    return float(found and _fits(value, spec))


def _fits(value: Any, spec: Spec) -> bool:
    try:
        return spec.schema_of_answer.fault_of(value) is None
    except JsonFault as error:
        where = "evals.json-schema.json_schema"
        raise RecipeError(Problem(where, str(error), _("correct the reference"))) from error


def _parsed(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(read_answer(answer.text)[0]) if item.is_in(spec.parts) else None


def _fenced(item: Item, answer: Answer, spec: Spec) -> float | None:
    return float(FENCE.search(answer.text) is not None) if item.is_in(spec.parts) else None


def _observe(item: Item, answer: Answer, spec: Spec) -> Counts | None:
    has_reference, reference = read_answer(item.example.answer)
    if not (item.is_in(spec.parts) and has_reference):
        return None
    found, value = read_answer(answer.text)
    wanted = dict(_leaves(reference))
    said = dict(_leaves(value)) if found else {}
    right = sum(path in wanted and wanted[path] == leaf for path, leaf in said.items())
    return {"wanted": len(wanted), "said": len(said), "right": right}


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Every path that ends, with its value and the value's type; an empty list or object too."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    elif isinstance(value, str):
        yield path, ("text", normalise(value))
    elif isinstance(value, bool) or value is None:
        yield path, (str(value),)
    elif isinstance(value, (int, float)):
        yield path, ("number", value)
    else:
        yield path, (type(value).__name__,)


def _precision(sums: Sums) -> "Array":
    return share(sums.get("right", 0), sums.get("said", 0))


def _recall(sums: Sums) -> "Array":
    return share(sums.get("right", 0), sums.get("wanted", 0))


def _f1(sums: Sums) -> "Array":
    return share(2 * sums.get("right", 0), sums.get("said", 0) + sums.get("wanted", 0))


COMPANIONS = (
    Companion(
        "json-schema-parse-rate",
        {"en": "Is JSON", "zh-TW": "是 JSON"},
        {
            "en": "The answer is one JSON value, bare or in a code fence, whatever its fields.",
            "zh-TW": "答案是一筆 JSON（可以包在程式碼區塊裡），不論欄位對不對。",
        },
        _parsed,
    ),
    Companion(
        "json-schema-fenced",
        {"en": "In a code fence", "zh-TW": "包在程式碼區塊裡"},
        {
            "en": "The answer has a ``` fence that a program must take off; the fewer the better.",
            "zh-TW": "答案用 ``` 包起來，程式得先拆掉；越少越好。",
        },
        _fenced,
        lower_is_better=True,
    ),
    PooledCompanion(
        "json-schema-field-f1",
        {"en": "Right fields (F1)", "zh-TW": "欄位正確（F1）"},
        {
            "en": "Harmonic mean of the fields' precision and recall against the reference.",
            "zh-TW": "與標準答案逐欄比對，精確率與召回率的調和平均。",
        },
        _observe,
        _f1,
    ),
    PooledCompanion(
        "json-schema-field-precision",
        {"en": "Fields: precision", "zh-TW": "欄位精確率"},
        {
            "en": "Of the fields the answers state, the share that the reference has so.",
            "zh-TW": "答案寫出的欄位裡，與標準答案一致的比例。",
        },
        _observe,
        _precision,
    ),
    PooledCompanion(
        "json-schema-field-recall",
        {"en": "Fields: recall", "zh-TW": "欄位召回率"},
        {
            "en": "Of the reference's fields, the share that the answers state so.",
            "zh-TW": "標準答案的欄位裡，答案寫對的比例。",
        },
        _observe,
        _recall,
    ),
)
