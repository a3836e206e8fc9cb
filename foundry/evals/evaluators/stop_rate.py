"""Evaluator `stop-rate`: the share of answers that end by themselves before the token limit."""

from pydantic import Field

from foundry.core.fields import Closed, Many
from foundry.evals.answers import Answer, Item

version = 1
TITLE = {"en": "Stops by itself", "zh-TW": "會自己停"}
EXPLAIN = {
    "en": "The model ended the answer itself instead of running into the length limit.",
    "zh-TW": "模型自己結束答案，而不是講到長度上限才被切斷。",
}
OF_MODELS = True


class Spec(Closed):
    """Which test parts to score."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if the answer ended by itself, else 0.0."""
    return float(answer.stopped) if item.is_in(spec.parts) else None
