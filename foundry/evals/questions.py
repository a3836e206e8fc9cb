"""An example's question apart from the facts given with it, and its answer in words.

Formats put the facts before the question with a blank line between (`question-answer`), so the
last block of the last user turn is the question. A user turn without a blank line is all question.
"""

import json
from dataclasses import dataclass

from foundry.core.records import Example, Turn

BLANK_LINE = "\n\n"


@dataclass(frozen=True)
class Question:
    """What is asked, and the facts shown with it; `context` is empty where there are none."""

    text: str
    context: str


def question_of(example: Example) -> Question:
    """The question and the context of the last user turn."""
    turns = [turn.content for turn in example.prompt if turn.role == "user"]
    context, _, text = turns[-1].strip().rpartition(BLANK_LINE) if turns else ("", "", "")
    return Question(text.strip(), context.strip())


def answer_of(example: Example) -> str:
    """The reference in words, with the tool calls that the last turn makes."""
    return said_in(example.messages[-1]) if example.messages else example.text


def said_in(turn: Turn) -> str:
    """A turn's text and its calls, each in Hermes' form (`foundry/encode/tools.py`) in one line."""
    calls = ({"name": call.name, "arguments": dict(call.arguments)} for call in turn.tool_calls)
    written = (f"<tool_call>{json.dumps(one, ensure_ascii=False)}</tool_call>" for one in calls)
    return " ".join(filter(None, (turn.content, *written)))
