"""Evaluator `declines`: the share of out-of-scope questions the model declines to answer.

A model that declines everything would score 1.0, so the other side is measured too: of the
questions it should answer, how many it declines (`wrongly-declined`).
"""

from pydantic import Field

from foundry.core.fields import Closed, Many
from foundry.data.normalising import normalise
from foundry.evals.answers import Answer, Item
from foundry.evals.companions import Companion

version = 1
TITLE = {"en": "Declines what it should", "zh-TW": "該婉拒時會婉拒"}
EXPLAIN = {
    "en": "The question is none of the shop's business and the answer says so.",
    "zh-TW": "問題不屬於服務範圍，答案也如此說明。",
}


class Spec(Closed):
    """What counts as declining, and where it is wanted."""

    phrases: Many[str] = Field(
        min_length=1, description="An answer that holds one of these declines."
    )
    part: str = Field(
        min_length=1, description="Name of the test part whose questions are to be declined."
    )


def score(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if a question of the part `spec.part` is declined, else 0.0; None in other parts."""
    return float(_declined(answer, spec)) if item.part == spec.part else None


def _wrongly_declined(item: Item, answer: Answer, spec: Spec) -> float | None:
    """1.0 if a question of any other part is declined, else 0.0; None in the part `spec.part`."""
    return None if item.part == spec.part else float(_declined(answer, spec))


def _declined(answer: Answer, spec: Spec) -> bool:
    text = normalise(answer.text)
    return any(phrase in text for phrase in map(normalise, spec.phrases) if phrase)


COMPANIONS = (
    Companion(
        "wrongly-declined",
        {"en": "Declines what it should answer", "zh-TW": "該回答卻婉拒"},
        {
            "en": "The question should be answered but the answer declines; the fewer the better.",
            "zh-TW": "問題應該回答，答案卻是婉拒；越少越好。",
        },
        _wrongly_declined,
        lower_is_better=True,
    ),
)
