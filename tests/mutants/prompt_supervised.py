"""The loss is taken on the question as well as on the answer (C03)."""

from typing import Any

from foundry.encode import tokenize
from foundry.encode.tokenize import IGNORED
from tests.mutants.mutant import Mutant

correct = tokenize.supervise


def everything(ids: Any, offsets: Any, masked: Any, control: Any = ()) -> list[int]:
    return list(ids)


def one_more(ids: Any, offsets: Any, masked: Any, control: Any = ()) -> list[int]:
    labels = correct(ids, offsets, masked, control)
    first = next(n for n, label in enumerate(labels) if label != IGNORED)
    return [*labels[: first - 1], ids[first - 1], *labels[first:]]


def nothing(ids: Any, offsets: Any, masked: Any, control: Any = ()) -> list[int]:
    return [IGNORED] * len(ids)


MUTANTS = tuple(
    Mutant(
        fault,
        lambda patch, labels=labels: patch.setattr(tokenize, "supervise", labels),
        "encode",
        "rows.csv:2",
        says,
        kind="data",
    )
    for fault, labels, says in (
        ("the whole row is supervised", everything, "tokens are supervised"),
        ("a token of the prompt is supervised", one_more, "tokens of the prompt are supervised"),
        ("nothing is supervised", nothing, "0 of "),
    )
)
