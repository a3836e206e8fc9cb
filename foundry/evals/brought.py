"""Questions that an evaluator brings itself, beside the recipe's test parts.

An evaluator file may have, beside what `evals.companions` lists:

- `PART` and `PART_TITLE`: the name of the test part that its questions make, and its title;
- `items(spec) -> Sequence[Item]`: the questions, each with `brought_by` set to its kind;
- or `items_from(spec, train) -> Sequence[Item]`: training rows as questions, which are asked as
  they were trained, with the recipe's system text;
- `MAX_NEW_TOKENS`: the longest answer to them, whatever the recipe's own questions need;
- `as_text(item, spec) -> str | None` and `STOP_STRINGS`: the prompt as plain text, and what ends
  an answer to it. Without them, or where it gives None, the chat template is used;
- `plants(spec, seed) -> Canaries`: rows that the data stage puts into training for it;
- `continuations(item, spec) -> Sequence[str]`: texts whose log-probabilities after the prompt are
  wanted, as `Answer.logprobs` in this order; none where the runtime takes a pass a token.

Every model is asked the same, and they are scored by their own evaluator alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from foundry.core import plugins
from foundry.core.blocks import Block
from foundry.core.records import Example
from foundry.data.canaries import Canaries
from foundry.data.prepare import read_once
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
    as_trained: bool = False
    continuations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Texts whose log-probability after the prompt is wanted, by item id."""


def brought_by(evals: Sequence[Block], train: Sequence[Example] = ()) -> list[Brought]:
    """What each evaluator of a recipe brings, in the recipe's order."""
    found = []
    for block in evals:
        module = plugins.load("evaluator", block.kind)
        items, items_from = (plugins.optional(module, name) for name in ("items", "items_from"))
        if items is not None or items_from is not None:
            made = tuple(items_from(block.spec, train) if items_from else items(block.spec))
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
                    items_from is not None,
                    _continuations(module, made, block.spec),
                )
            )
    return found


def canaries(evals: Sequence[Block], seed: int) -> Canaries | None:
    """What a recipe's evaluators want planted in training; None where they want nothing."""
    for block in evals:
        plants = plugins.optional(plugins.load("evaluator", block.kind), "plants")
        if plants is not None:
            planted: Canaries = plants(block.spec, seed)
            return planted
    return None


def check_brought(evals: Sequence[Block], train: Path) -> None:
    """Refuse, before anything is trained, an evaluator that has no training row to ask about.

    Raises:
        RecipeError: Names it.
    """
    asking = of_rows(evals)
    if asking:
        brought_by(asking, read_once(train))


def of_rows(evals: Sequence[Block]) -> list[Block]:
    """The evaluators that ask about training rows."""
    return [b for b in evals if plugins.optional(plugins.load("evaluator", b.kind), "items_from")]


def _texts(module: ModuleType, items: Sequence[Item], spec: BaseModel) -> dict[str, str]:
    as_text = plugins.optional(module, "as_text")
    pairs = [(i.example.id, as_text(i, spec)) for i in items] if as_text is not None else []
    return {key: text for key, text in pairs if text is not None}


def _continuations(
    module: ModuleType, items: Sequence[Item], spec: BaseModel
) -> dict[str, Sequence[str]]:
    texts = plugins.optional(module, "continuations")
    return {} if texts is None else {item.example.id: texts(item, spec) for item in items}


def part_titles(brought: Sequence[Brought]) -> Mapping[str, Text]:
    """The titles of the parts that are brought, by their names."""
    return {one.part: one.title for one in brought}
