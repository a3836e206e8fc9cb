"""Encoders of the tiny models, and examples to encode; no weights."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from foundry.core.errors import Problem
from foundry.core.recipe import Encode
from foundry.core.records import EncodedRow, Example, Turn
from foundry.encode.batches import encoded_tables
from foundry.encode.checks import check_many
from foundry.encode.mask_report import MaskReport
from foundry.encode.rows import Encoded
from foundry.encode.tables import rows_of
from foundry.encode.tokenize import Encoder, encoder_of
from tests.templates import stock_template
from tests.tiny import tiny_tokenizer

FAMILIES = {"llama": "llama3", "gemma3": "gemma3"}
# Llama's control tokens in a template that forgets the BOS, as ChatML does (C09).
NO_BOS = (
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>{{ m.content }}"
    "<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{% endif %}"
)


def tiny_encoder(family: str, *, template: str | None = None, system: str | None = None) -> Encoder:
    """The encoder of a tiny model; its family's real template unless another is given."""
    return encoder_of(tiny_tokenizer(family), template or stock_template(FAMILIES[family]), system)


def conversation(*contents: str, system: str | None = None) -> tuple[Turn, ...]:
    """Turns of user and assistant in turn, after a system turn if one is given."""
    roles = ("user", "assistant")
    turns = [Turn(roles[n % 2], content) for n, content in enumerate(contents)]
    return (*([Turn("system", system)] if system else []), *turns)


def example(*contents: str, line: int = 2, system: str | None = None) -> Example:
    """A row of `rows.csv`; its id is its line."""
    turns = conversation(*contents, system=system)
    return Example(f"row-{line}", turns, "rows.csv", line, f"group-{line}")


def examples(pairs: Sequence[tuple[str, str]]) -> list[Example]:
    """Rows of one question and one answer each."""
    return [example(*pair, line=line) for line, pair in enumerate(pairs, start=2)]


def lines_of(rows: Iterable[Example]) -> Iterator[str]:
    """Examples as a part's file holds them."""
    return (json.dumps(row.as_dict(), ensure_ascii=False) for row in rows)


def check(encoded: Encoded, encoder: Encoder) -> list[Problem]:
    """The faults of one example."""
    (faults,) = check_many([encoded], encoder)
    return faults


def encode_all(
    rows: Iterable[Example], encoder: Encoder, *, max_refused: float = 0.0, **settings: Any
) -> tuple[list[EncodedRow], MaskReport]:
    """The rows that a recipe with these `encode` settings trains, and the checked report."""
    report, chosen = MaskReport(encoder), Encode(**{"max_seq_len": 64, **settings})
    made = [
        row for table in encoded_tables(lines_of(rows), chosen, report) for row in rows_of(table)
    ]
    report.check(overlong=chosen.overlong, max_refused=max_refused)
    return made, report
