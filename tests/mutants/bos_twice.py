"""The BOS of the template and another one of the tokenizer (C09)."""

from collections.abc import Sequence

from foundry.encode.tokenize import Encoder
from tests.mutants.mutant import Mutant, Patch


def always(encoder: Encoder, ids: Sequence[int]) -> list[int]:
    return [encoder.bos_id, *ids]


def apply(patch: Patch) -> None:
    patch.setattr(Encoder, "once_bos", always)


SAYS = "the row must begin with exactly one BOS"
MUTANTS = (Mutant("a second BOS", apply, "encode", "rows.csv:2", SAYS, kind="data"),)
