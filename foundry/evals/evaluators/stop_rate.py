"""Evaluator `stop-rate`: the share of answers that end by themselves before the token limit."""

from foundry.evals.answers import Answer, Item
from foundry.evals.parts import InParts

version = 1
TITLE = {"en": "Stops by itself", "zh-TW": "會自己停"}
EXPLAIN = {
    "en": "The model ended the answer itself instead of running into the length limit.",
    "zh-TW": "模型自己結束答案，而不是講到長度上限才被切斷。",
}
OF_MODELS = True


class Spec(InParts):
    """Which test parts to score."""


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer ended by itself, else 0.0."""
    return float(answer.stopped) if item.is_in(spec.parts) else None
