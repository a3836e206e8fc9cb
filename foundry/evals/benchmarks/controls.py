"""Benchmark `controls`: general questions that need no data, for any model, package or file.

The 224 questions of the evaluator `controls` (`evals.controls`), in Traditional Chinese and in
English, asked as it asks them: plain text after two solved questions of the same kind. `--chat`
asks in each model's own template, and then without solved ones unless `--few-shot` wants them. A
`--limit` takes kinds and languages in turn, so that a multiple of 16 is balanced.
"""

from collections.abc import Sequence

from foundry.core.records import Example, Turn
from foundry.evals.answers import Item
from foundry.evals.controls import asking
from foundry.evals.controls.items import sample

version = 1
TITLE = {"en": "General abilities", "zh-TW": "一般能力"}
FILES = ()
METHOD = "generate"
SHOTS = asking.MOST_SHOTS
CHAT_SHOTS = 0
MOST_SHOTS = asking.MOST_SHOTS
MAX_NEW_TOKENS = asking.MAX_NEW_TOKENS
STOP = asking.STOP_STRINGS
EVALS = ({"kind": "controls", "sample": "all"},)


def items(limit: int | None) -> Sequence[Item]:
    """The questions, at most `limit` of them."""
    return [asking.item_of(control) for control in sample(limit)]


def text(example: Example, few_shot: int) -> str:
    """The prompt as plain text."""
    return asking.text_of(example, few_shot)


def turns(example: Example, few_shot: int) -> Sequence[Turn]:
    """The prompt as a conversation."""
    return asking.turns_of(example, few_shot)
