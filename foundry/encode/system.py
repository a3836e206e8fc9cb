"""One policy for system turns, written into the template itself (C19).

Some templates refuse a system turn (Gemma 1 and 2), some drop it, some put it before the last
question (Mistral), so that it moves while a conversation grows. All of these get the same prelude:
the system text and a blank line go in front of the first user turn. As a part of the template the
prelude goes wherever the template goes: training, evaluation, chat, and every exported file.
"""

from collections.abc import Sequence

from foundry.core.errors import DataError
from foundry.core.records import Turn
from foundry.encode.render import render

# The last tag is an expression because a line break after a block would be trimmed.
FOLD = (
    "{% if messages|length > 1 and messages[0]['role'] == 'system'"
    " and messages[1]['role'] == 'user' %}"
    "{% set messages = [{'role': 'user',"
    " 'content': messages[0]['content'] + '\\n\\n' + messages[1]['content']}] + messages[2:] %}"
    "{% endif %}{{ '' }}"
)
SYSTEM, FIRST = "SYSTEM TEXT", "FIRST QUESTION"
PROBE = (
    Turn("system", SYSTEM),
    Turn("user", FIRST),
    Turn("assistant", "ANSWER"),
    Turn("user", "SECOND QUESTION"),
)


def led_by(turns: Sequence[Turn], system: str | None) -> tuple[Turn, ...]:
    """A conversation with a system text in front, unless it begins with one of its own."""
    if system and (not turns or turns[0].role != "system"):
        return (Turn("system", system), *turns)
    return tuple(turns)


def with_system_turns(template: str, bos_token: str, eos_token: str) -> str:
    """`template`, with `FOLD` in front unless it has a place of its own for a system turn.

    It has one if a system text comes out once, before the first question, in a conversation that
    goes on after its answer.
    """
    try:
        text = render(PROBE, template, bos_token=bos_token, eos_token=eos_token)
    except DataError:
        return FOLD + template
    keeps = text.count(SYSTEM) == 1 and text.find(SYSTEM) < text.find(FIRST)
    return template if keeps else FOLD + template
