"""An example's question apart from the facts given with it.

Formats put the facts before the question with a blank line between (`question-answer`), so the
last block of the last user turn is the question. A user turn without a blank line is all question.
"""

from dataclasses import dataclass

from foundry.core.records import Example

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
