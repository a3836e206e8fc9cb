"""The chat template closes no assistant turn, so that no end can be learned (C02)."""

from typing import Any

from foundry.encode import tokenize
from tests.mutants.mutant import Mutant

correct = tokenize.chat_template


def without_end(*arguments: Any) -> str:
    return correct(*arguments).replace("<|eot_id|>", "")


def end_before_the_next_turn(*arguments: Any) -> str:
    end = "('' if loop.last and message['role'] == 'assistant' else '<|eot_id|>')"
    return correct(*arguments).replace("'<|eot_id|>'", end)


SAYS = "the template ends no assistant turn with a control token"
MUTANTS = tuple(
    Mutant(
        fault,
        lambda patch, template=template: patch.setattr(tokenize, "chat_template", template),
        "encode",
        "chat_template",
        SAYS,
        kind="data",
    )
    for fault, template in (
        ("no turn is closed", without_end),
        ("the last turn is not closed", end_before_the_next_turn),
    )
)
