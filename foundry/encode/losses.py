"""What a template leaves out of a conversation, and what it says of its own inside an answer.

Neither is a fault: Gemma 3 knows no thinking, Qwen 3 writes that of the last answer only and puts
an empty block before an answer without any. But nobody should learn of it from the tuned model.
"""

from collections.abc import Iterator

from foundry.core.records import Turn
from foundry.encode.mask import Masked
from foundry.encode.masking import Talk

ADDED_CHARS = 60


def left_out(talk: Talk, masked: Masked) -> Iterator[str]:
    """A word for each thing of the conversation that its rendering does not hold."""
    trained = {span.turn for span in masked.spans}
    text = masked.text
    if any(_name(tool) not in text for tool in talk.tools):
        yield "tools"
    for n, turn in enumerate(talk.turns[: masked.spans[-1].turn + 1]):
        if turn.reasoning and turn.reasoning.strip() not in text:
            yield "reasoning" if n in trained else "earlier-reasoning"
        if turn.role != "assistant" and turn.content.strip() not in text:
            yield f"{turn.role}-text"


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
