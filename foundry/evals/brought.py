"""Questions that an evaluator brings itself, beside the recipe's test parts.

An evaluator file may have, beside what `evals.companions` lists:

- `PART` and `PART_TITLE`: the name of the test part that its questions make, and its title;
- `items(spec) -> Sequence[Item]`: the questions, each with `brought_by` set to its kind;
- `MAX_NEW_TOKENS`: the longest answer to them, whatever the recipe's own questions need;
- `as_text(item, spec) -> str | None` and `STOP_STRINGS`: the prompt as plain text, and what ends
  an answer to it. Without them, or where it gives None, the chat template is used.

Every model is asked the same, and they are scored by their own evaluator alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from pydantic import BaseModel

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.evals.answers import Item
from foundry.evals.companions import Text


@dataclass(frozen=True)
class Brought:
    """The questions of one evaluator."""

    kind: str
    part: str
    title: Text
    items: tuple[Item, ...]
    max_new_tokens: int
    texts: Mapping[str, str]
    """The prompts that are plain text, by item id."""
    stop_strings: tuple[str, ...] = ()


def brought_by(evals: Sequence[Block]) -> list[Brought]:
    """What each evaluator of a recipe brings, in the recipe's order."""
    found = []
    for block in evals:
        module = plugins.load("evaluator", block.kind)
        items = plugins.optional(module, "items")
        if items is not None:
            made = tuple(items(block.spec))
            texts = _texts(module, made, block.spec)
            found.append(
                Brought(
                    block.kind,
                    module.PART,
                    module.PART_TITLE,
                    made,
                    module.MAX_NEW_TOKENS,
                    texts,
                    tuple(plugins.optional(module, "STOP_STRINGS") or ()) if texts else (),
                )
            )
    return found


def _texts(module: ModuleType, items: Sequence[Item], spec: BaseModel) -> dict[str, str]:
    as_text = plugins.optional(module, "as_text")
    pairs = [(i.example.id, as_text(i, spec)) for i in items] if as_text is not None else []
    return {key: text for key, text in pairs if text is not None}


def part_titles(brought: Sequence[Brought]) -> Mapping[str, Text]:
    """The titles of the parts that are brought, by their names."""
    return {one.part: one.title for one in brought}
