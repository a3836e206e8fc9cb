"""A control question as something to ask: its item, and its prompt after solved ones."""

from collections.abc import Sequence

from foundry.core.records import Example, Turn
from foundry.evals.answers import Item
from foundry.evals.controls.items import Control, by_id, shots
from foundry.evals.prompts import ENGLISH, Labels, few_shot_text

PART = "controls"
MAX_NEW_TOKENS = 32
STOP_STRINGS = ("\n\n", "\n問題：", "\nQuestion:")
MOST_SHOTS = 2
"""Solved questions that there are of each kind and language."""


def item_of(control: Control, brought_by: str | None = None) -> Item:
    """The question; `brought_by` is the evaluator that brings it, None for a task of its own."""
    return Item(_example(control), PART, brought_by, control.question)


def text_of(example: Example, few_shot: int = MOST_SHOTS) -> str:
    """The question as plain text after solved ones of its kind and language."""
    labels = ENGLISH if by_id()[example.id].language == "en" else Labels()
    return few_shot_text(_shots(example, few_shot), example, labels)


def turns_of(example: Example, few_shot: int) -> Sequence[Turn]:
    """The question as a conversation after solved ones of its kind and language."""
    return [
        *(turn for shot in _shots(example, few_shot) for turn in shot.messages),
        *example.prompt,
    ]


def _shots(example: Example, few_shot: int) -> list[Example]:
    control = by_id()[example.id]
    return [_example(shot) for shot in shots(control.kind, control.language)[:few_shot]]


def _example(control: Control) -> Example:
    turns = Turn("user", control.asked), Turn("assistant", control.reference)
    fields = {"kind": control.kind, "language": control.language}
    return Example(control.id, turns, f"controls/{control.kind}.jsonl", 0, control.group, fields)
