"""What a template leaves out of a conversation, and what it says of its own inside an answer.

Neither is a fault: Gemma 3 knows no thinking, Qwen 3 writes that of the last answer only and puts
an empty block before an answer without any. But nobody should learn of it from the tuned model.
"""

from collections.abc import Iterator

from foundry.core.records import Turn
from foundry.encode.checks import squash
from foundry.encode.mask import Masked
from foundry.encode.masking import Talk

ADDED_CHARS = 60
THINKING_END = "</think>"


def left_out(talk: Talk, masked: Masked) -> Iterator[str]:
    """A word for each thing of the conversation that its rendering does not hold."""
    trained = {span.turn for span in masked.spans}
    text = masked.text
    if any(_name(tool) not in text for tool in talk.tools):
        yield "tools"
    for n, turn in enumerate(talk.turns[: masked.spans[-1].turn + 1]):
        is_kept = _holds(text, turn.content)
        if not _holds(text, turn.reasoning) or (THINKING_END in turn.content and not is_kept):
            yield "reasoning" if n in trained else "earlier-reasoning"
        elif not is_kept:
            yield f"{turn.role}-text"


def _holds(text: str, words: str) -> bool:
    """Whether the words stand in a text, with other white space perhaps."""
    return words.strip() in text or squash(words) in squash(text)


def _name(tool: object) -> str:
    """The name of a tool definition of the OpenAI kind, plain or under `function`."""
    inner = tool.get("function", tool) if isinstance(tool, dict) else {}
    return str(inner.get("name", ""))


def added(turn: Turn, said: str) -> str | None:
    """What the template puts before the content of a plain answer, with `…` for its thinking."""
    content = turn.content.strip()
    if turn.tool_calls or not content or said.startswith(content):
        return None
    at = said.find(content)
    words = said[: max(at, 0)].replace(turn.reasoning.strip() or "\0", "…").strip()
    return words[:ADDED_CHARS] or None
