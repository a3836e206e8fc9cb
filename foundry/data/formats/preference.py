"""Format `preference`: a prompt with a better and a worse answer, as DPO learns from.

The prompt stands in a column of its own, as a text or as messages (TRL's explicit form, and
ShareGPT's `conversations`), or at the start of two whole chats (the implicit form). Either way
both answers get one and the same prompt, or the row is refused (cases.md C25).

Source: https://huggingface.co/docs/trl/dataset_formats#preference; LLaMA-Factory's data/README.md.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.data.columns import (
    CHATS,
    CHOSEN,
    INPUT,
    INSTRUCTION,
    QUESTION,
    REJECTED,
    SYSTEM,
    Columns,
)
from foundry.data.draft import Draft
from foundry.data.messages import with_system
from foundry.data.rows import SCALAR, RowError, kept_text
from foundry.data.sides import is_whole, read_prompt, read_side
from foundry.data.tool_calls import RESPELLED, find_tools, read_tools

RATINGS = re.compile("score|rating|margin|model|reward")  # columns about an answer


class Spec(Closed):
    """Which columns hold what."""

    prompt: str | None = Field(
        "prompt",
        min_length=1,
        description="Column with the prompt, a text or a list of messages; `null` where the two "
        "answers are whole chats. A row without it may have `conversations` or the like.",
    )
    input: str | None = Field(
        None, min_length=1, description="Column with a text put after the prompt."
    )
    chosen: str = Field(
        "chosen",
        min_length=1,
        description="Column with the better answer: a text, a message or a list of messages.",
    )
    rejected: str = Field("rejected", min_length=1, description="Column with the worse answer.")
    margin: str | None = Field(
        None,
        min_length=1,
        description="Column with a number of 0 or more: by how much the better answer is better. "
        "Only the trainer `reward` reads it.",
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
    """The columns that the data must have."""
    named = spec.prompt if "prompt" in spec.model_fields_set else None
    wanted = (named, spec.input, spec.chosen, spec.rejected, spec.margin, spec.system, spec.tools)
    return tuple(name for name in wanted if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if there is one better and one worse answer, and one prompt or whole chats."""
    columns = Columns(sample)
    chosen, rejected = columns.only(CHOSEN), columns.only(REJECTED)
    if chosen is None or rejected is None:
        return None
    answers = {"chosen": chosen, "rejected": rejected}
    if columns.most(lambda row: is_whole(row.get(chosen)) and is_whole(row.get(rejected))):
        return {"prompt": None, **answers}
    prompts = columns.named((*CHATS, *QUESTION, *INSTRUCTION))
    beside, system = columns.named(INPUT), columns.named(SYSTEM)
    if len(prompts) != 1 or len(beside) > 1 or len(system) > 1:
        return None
    if not columns.holds(prompts[0], (*SCALAR, list)):
        return None
    unknown = columns.unexplained([*prompts, *beside, *system, chosen, rejected, "tools"])
    if any(not RATINGS.search(name) for name in unknown):
        return None
    optional = {"input": beside, "system": system}
    named = {field: found[0] for field, found in optional.items() if found}
    return {"prompt": prompts[0], **named, **answers}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """Two conversations, of which the one ends with the better and the other with the worse answer.

    Raises:
        RowError: A column is missing, or what is in it is no prompt or no answer.
    """
    respelled: list[str] = []
    prompt = () if spec.prompt is None else read_prompt(row, spec.prompt, spec.input, respelled)
    chosen, rejected = (
        with_system(row, read_side(row, field, prompt, respelled), spec.system)
        for field in (spec.chosen, spec.rejected)
    )
    return Draft(
        chosen,
        rejected=rejected,
        margin=None if spec.margin is None else _margin(row, spec.margin),
        tools=read_tools(find_tools(row, spec.tools), respelled),
        notices=tuple((RESPELLED, number) for number in dict.fromkeys(respelled)),
    )


def _margin(row: Mapping[str, Any], field: str) -> float:
    """The number in a column, of 0 or more.

    Raises:
        RowError: There is none.
    """
    text = kept_text(row.get(field)) or "-"
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        what = _("`{field}` must be a number of 0 or more; found `{found}`")
        raise RowError("margin", what.format(field=field, found=text))
    return found
