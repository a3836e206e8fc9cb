"""Evaluator `required-facts`: the answer holds every fact its row requires and none it forbids.

The rules are those of `foundry.data.facts`: a fact counts only as a whole, and the forbidden values
are what stands beside the right one on the same sheet, so an answer that recites the whole sheet
scores 0.
"""

from foundry.data.facts import FactColumns, Facts, listed
from foundry.evals.answers import Answer, Item
from foundry.evals.parts import InParts

version = 1
TITLE = {"en": "Right answers", "zh-TW": "答對"}
EXPLAIN = {
    "en": "The answer states every fact that was asked for and none of the facts that would be "
    "wrong here.",
    "zh-TW": "答案說出了題目要的每一項資料，而且沒有夾帶不該出現的資料。",
}


class Spec(FactColumns, InParts):
    """Where the facts stand."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 or 0.0; None where the item's row requires nothing.

    A forbidden text inside a required one is no offence: `黑色` in the required `墨黑色`.
    """
    fields = item.example.fields
    required = listed(fields.get(spec.required, ""))
    if not required or not item.is_in(spec.parts):
        return None
    forbidden = listed(fields.get(spec.forbidden, "")) if spec.forbidden else ()
    return float(Facts(required, forbidden).hold(answer.text))
