"""Rendered text and spans -> ids and labels, decided by position and never by id (C01).

Text is tokenised whole with `add_special_tokens=False`, since the template writes the BOS (C09).
A token that straddles the seam between prompt and answer counts as answer (C06).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.records import BaseModel, EncodedRow, Example, Turn
from foundry.encode.mask import Masked, mask
from foundry.encode.render import render
from foundry.encode.system import with_system_turns
from foundry.models.load import chat_template, control_tokens, load_tokenizer, own_bos

IGNORED = -100


@dataclass(frozen=True)
class Encoder:
    """A tokenizer with the chat template that all stages share.

    `bos_id` is None where texts begin without one; `special` maps control tokens to their ids;
    `system` is put before each conversation that has no system turn of its own.
    """

    tokenizer: Any
    template: str
    bos_token: str
    eos_token: str
    bos_id: int | None
    special: dict[str, int]
    system: str | None = None

    def with_system(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """`turns` with the recipe's system text in front, unless they have one of their own."""
        if self.system and (not turns or turns[0].role != "system"):
            return (Turn("system", self.system), *turns)
        return tuple(turns)

    def render(self, turns: Sequence[Turn], *, add_generation_prompt: bool = False) -> str:
        """The conversation as text; see `encode.render`."""
        return render(
            self.with_system(turns),
            self.template,
            bos_token=self.bos_token,
            eos_token=self.eos_token,
            add_generation_prompt=add_generation_prompt,
        )

    def prompt_ids(self, turns: Sequence[Turn]) -> list[int]:
        """The ids from which the model goes on with its answer; the BOS once at the head."""
        return self.ids(self.render(turns, add_generation_prompt=True))

    def ids(self, text: str) -> list[int]:
        """`text` as ids, with the model's BOS once at the head whether the text has it or not."""
        return self.once_bos(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def once_bos(self, ids: Sequence[int]) -> list[int]:
        """`ids` with the BOS in front if the model has one and it is not there yet (C09)."""
        missing = self.bos_id is not None and list(ids[:1]) != [self.bos_id]
        return [self.bos_id, *ids] if missing else list(ids)  # type: ignore[list-item]

    def encode(self, example: Example) -> "Encoded":
        """Ids and labels of one example.

        Raises:
            DataError: The template cannot be masked; see `encode.mask`.
        """
        masked = mask(example.messages, self.render, self.special)
        made = self.tokenizer(masked.text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = list(made["input_ids"]), made["offset_mapping"]
        labels = supervise(ids, offsets, masked)
        straddling = sum(a < s.start < b for a, b in offsets for s in masked.spans)
        added = len(self.once_bos(ids)) - len(ids)
        ids, labels = self.once_bos(ids), [IGNORED] * added + labels
        stops = tuple(self.special[span.terminator] for span in masked.spans)
        row = EncodedRow(example.id, tuple(ids), tuple(labels))
        return Encoded(row, stops, straddling)


@dataclass(frozen=True)
class Encoded:
    """A row with what the mask report counts: stop id of each assistant turn, seam merges."""

    row: EncodedRow
    stops: tuple[int, ...]
    straddling: int


def supervise(ids: Sequence[int], offsets: Sequence[tuple[int, int]], masked: Masked) -> list[int]:
    """Labels: the id where a token ends inside a supervised span, else `IGNORED`."""
    return [
        token if any(a < span.stop and b > span.start for span in masked.spans) else IGNORED
        for token, (a, b) in zip(ids, offsets, strict=True)
    ]


def open_encoder(base: BaseModel, system: str | None = None) -> Encoder:
    """The encoder of a base model; loads the tokenizer and no weights."""
    tokenizer = load_tokenizer(base)
    return encoder_of(tokenizer, chat_template(base, tokenizer), system)


def encoder_of(tokenizer: Any, template: str, system: str | None = None) -> Encoder:
    """The encoder of a fast tokenizer and a template; see `encode.system` for system turns."""
    bos_token, eos_token = tokenizer.bos_token or "", tokenizer.eos_token or ""
    return Encoder(
        tokenizer=tokenizer,
        template=with_system_turns(template, bos_token, eos_token),
        bos_token=bos_token,
        eos_token=eos_token,
        bos_id=own_bos(tokenizer),
        special=control_tokens(tokenizer),
        system=system,
    )
