"""Format `unpaired-preference`: an answer and whether it is good or bad, as KTO learns from.

The answer ends a chat in `messages`, or stands in a column `completion` beside its prompt.

Source: https://huggingface.co/docs/trl/dataset_formats#unpaired-preference; LLaMA-Factory's
data/README.md, which calls the label `kto_tag`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data.columns import (
    ANSWER,
    CHATS,
    GOOD_OR_BAD,
    INPUT,
    INSTRUCTION,
    QUESTION,
    SYSTEM,
    Columns,
)
from foundry.data.draft import Draft
from foundry.data.messages import find_chat, is_chat, read_turns, with_system
from foundry.data.rows import SCALAR, JsonNumber, RowError, kept_text
from foundry.data.sides import read_prompt, read_side
from foundry.data.tool_calls import RESPELLED, find_tools, read_tools

LABELS = {"true": True, "false": False, "1": True, "0": False}


class Spec(Closed):
    """Which columns hold what."""

    messages: str = Field(
        "messages",
        min_length=1,
        description="Field with the chat that ends with the answer, where there is no column "
        "`completion`. A row without it may have `conversations` or the like.",
    )
    prompt: str | None = Field(
        None, min_length=1, description="Column with the prompt; `prompt` where absent."
    )
    input: str | None = Field(
        None, min_length=1, description="Column with a text put after the prompt."
    )
    completion: str | None = Field(
        None,
        min_length=1,
        description="Column with the answer: a text, a message or a list of messages; "
        "`completion` where absent.",
    )
    label: str = Field(
        "label",
        min_length=1,
        description="Column that is true for a good answer and false for a bad one.",
    )
    system: str | None = Field(
        None,
        min_length=1,
        description="Column with a system text; `system` where absent, and a row may have none.",
    )
    tools: str | None = Field(
        None,
        min_length=1,
        description="Column with the tools on offer; `tools` where absent, if there is one.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have; only the label where the recipe names no others."""
    named = spec.messages if "messages" in spec.model_fields_set else None
    beside = (spec.prompt, spec.input, spec.completion, spec.system, spec.tools)
    return tuple(name for name in (named, *beside, spec.label) if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if there is one label of true or false, and one chat or one prompt and answer."""
    columns = Columns(sample)
    label = columns.only(GOOD_OR_BAD)
    if label is None or not columns.most(lambda row: _label_of(row.get(label)) is not None):
        return None
    chats = [name for name in columns.named(CHATS) if columns.holds(name, list)]
    system = columns.named(SYSTEM)
    named = {"system": system[0]} if len(system) == 1 else {}
    if len(chats) == 1 and columns.most(lambda row: is_chat(row.get(chats[0]))):
        return {"messages": chats[0], **named, "label": label}
    prompts, answers = columns.named((*QUESTION, *INSTRUCTION)), columns.named(ANSWER)
    beside = columns.named(INPUT)
    if len(prompts) != 1 or len(answers) != 1 or len(beside) > 1 or len(system) > 1:
        return None
    named |= {"input": beside[0]} if beside else {}
    used = [*prompts, *answers, *beside, *system, label, "tools"]
    if columns.unexplained(used) or not columns.holds(prompts[0], (*SCALAR, list)):
        return None
    return {"prompt": prompts[0], **named, "completion": answers[0], "label": label}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The conversation that ends with the answer, and whether the answer is good.

    Raises:
        RowError: No chat and no prompt with an answer, or a label that is not true or false.
    """
    respelled: list[str] = []
    completion = spec.completion or "completion"
    if row.get(completion) is not None:
        prompt = read_prompt(row, spec.prompt or "prompt", spec.input, respelled)
        turns = read_side(row, completion, prompt, respelled)
    else:
        field, messages = find_chat(row, spec.messages)
        turns = read_turns(messages, field, respelled)
    label = _label_of(row.get(spec.label))
    if label is None:
        what = _("field `{field}`: found {found}, expected true or false")
        found = kept_text(row.get(spec.label)) or "-"
        raise RowError("label", what.format(field=spec.label, found=found))
    return Draft(
        with_system(row, turns, spec.system),
        label=label,
        tools=read_tools(find_tools(row, spec.tools), respelled),
        notices=tuple((RESPELLED, number) for number in respelled),
    )


def _label_of(value: Any) -> bool | None:
    """Whether the answer is good; None for what is neither true nor false."""
    if isinstance(value, bool):
        return value
    text = value.text if isinstance(value, JsonNumber) else value
    return LABELS.get(text.strip().casefold()) if isinstance(text, str) else None
