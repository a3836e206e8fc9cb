"""What the first rows of a file say about settings whose defaults would not suit them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.errors import DataError
from foundry.core.recipe import Encode, Evaluation
from foundry.core.records import Example, Refusal
from foundry.core.split import Split
from foundry.data.duplicates import text_keys
from foundry.data.glimpse import Glimpse
from foundry.data.splits import group_key, seed_for
from foundry.encode.rows import encode_many
from foundry.encode.tokenize import Encoder, runs
from foundry.planning.trainers import readers

MOST_ENCODED = 100  # rows whose tokens are counted
LEAST_TO_SPLIT = 20  # of fewer rows a test part would have one or two
SMALL = 50  # rows; below, a fifth is held out, since a tenth is too few to measure anything
# Sizes are rounded up to these, so that a row a little longer than those seen still fits.
LENGTH_STEP, ANSWER_STEP, MOST_ANSWER = 128, 64, 1024
ROWS_A_STEP, ROUNDS, SHORT_RUN, LEAST_STEPS = 8, 3, 100, 60
# Measured with the shop's recipe, LoRA on Gemma 3 270M in 75 steps: at 5e-4 its rules were not
# learned, at 1.5e-3 they were. Larger models were not tried; `auto` takes 3e-4 there.
SMALL_BASE, HIGH_RATE = 500_000_000, 1.5e-3
DEFAULT_TRAINER = "sft"
EXACT = ("question-answer", "multiple-choice", "classification", "extraction", "squad")
"""Formats whose answers are short enough to be the same word for word."""


@dataclass(frozen=True)
class Advice:
    """Blocks of a recipe as values, each None or empty where the default suits the rows."""

    split: Mapping[str, Any] | None = None
    max_seq_len: int | None = None
    train: Mapping[str, Any] | None = None
    evals: tuple[str, ...] = ()
    max_new_tokens: int | None = None


def advise(seen: Glimpse, encoder: Encoder | None, parameters: int | None) -> Advice:
    """What a recipe for the rows should say.

    Args:
        seen: As many rows as are worth looking at.
        encoder: Of the base model, where it is on this machine; else lengths are left alone.
        parameters: Weights of the base model, where the catalogue has their number.
    """
    length, answer = _lengths(seen, encoder)
    found = seen.examples[0].type  # a format makes rows of one type
    if found != "conversation":  # no evaluator asks for a text or compares a pair
        return Advice(max_seq_len=length, train=_trainer(found))
    split = _split(seen)
    measures = ("exact-match", "character-f1", "stop-rate")
    names = measures if seen.format.kind in EXACT else measures[1:]
    return Advice(
        split=split,
        max_seq_len=length,
        train=_train(seen, split, parameters),
        evals=names if split else (),
        max_new_tokens=answer if split else None,
    )


def _split(seen: Glimpse) -> Mapping[str, Any] | None:
    """A test part that is not empty; known only where all rows were seen."""
    if seen.rows < LEAST_TO_SPLIT:
        return None
    test = 0.2 if seen.rows < SMALL else 0.1
    said = {text_keys(example): example for example in seen.examples}  # repeats are left out
    groups = Counter(group_key(example, keys.prompt) for keys, example in said.items())
    seed = seed_for(groups, Split(test=test)) if seen.is_whole else 0
    if seed is None:
        return None
    return {"test": test, "seed": seed} if seed else {"test": test}


def _trainer(found: str) -> Mapping[str, Any] | None:
    """The `train` block that reads rows of a type."""
    names = readers(found)
    return None if DEFAULT_TRAINER in names else {"kind": names[0]}


def _train(
    seen: Glimpse, split: Mapping[str, Any] | None, parameters: int | None
) -> Mapping[str, Any] | None:
    learned = seen.rows * (1 - split["test"] if split else 1)
    steps = round(learned * ROUNDS / ROWS_A_STEP)
    if not seen.is_whole or steps >= SHORT_RUN:
        return None
    is_small = parameters is not None and parameters <= SMALL_BASE
    made = {"max_steps": LEAST_STEPS} if steps < LEAST_STEPS else {}
    return {**made, **({"learning_rate": HIGH_RATE} if is_small else {})} or None


def _lengths(seen: Glimpse, encoder: Encoder | None) -> tuple[int | None, int | None]:
    """`max_seq_len` and `max_new_tokens` for the rows, each None where the default is enough."""
    made = [] if encoder is None else _encoded(seen.examples[:MOST_ENCODED], encoder)
    longest = max((length for length, _answer in made), default=0)
    answer = max((answer for _length, answer in made), default=0)
    spare = 1.0 if seen.is_whole else 1.25
    length = _up(longest * spare, LENGTH_STEP)
    said = min(_up(answer * spare, ANSWER_STEP), MOST_ANSWER)
    return (
        length if length > Encode().max_seq_len else None,
        said if said > Evaluation().max_new_tokens else None,
    )


def _encoded(examples: Sequence[Example], encoder: Encoder) -> list[tuple[int, int]]:
    """Tokens of each row, and of its longest answer."""
    try:
        outcomes = encode_many(examples, encoder)
    except DataError:  # `recipe check` will say what is wrong
        return []
    rows = [row for one in outcomes if not isinstance(one, Refusal) for row in one.rows]
    return [
        (
            max(len(row.input_ids), len(row.rejected_input_ids)),
            max((stop - start for start, stop in runs(row.labels)), default=0),
        )
        for row in rows
    ]


def _up(count: float, step: int) -> int:
    return -int(-count // step) * step
