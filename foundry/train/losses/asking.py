"""Training rows as questions: the prompt's ids as in use, and the example that judges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundry.core.records import EncodedRow, Example
from foundry.data.prepare import read_once
from foundry.encode.tokenize import Encoder


@dataclass(frozen=True)
class Asked:
    """A question: `prompt_ids` are what the model goes on from, as an evaluation asks it.

    `row` is the encoded example, whose last answer was held out.
    """

    example: Example
    prompt_ids: tuple[int, ...]
    row: EncodedRow


def read_questions(file: Path, rows: Sequence[EncodedRow], encoder: Encoder) -> dict[str, Asked]:
    """The examples in the file of a part as `questions`."""
    return questions(read_once(file), rows, encoder)


def questions(
    examples: Iterable[Example], rows: Sequence[EncodedRow], encoder: Encoder
) -> dict[str, Asked]:
    """The examples that were encoded whole, as questions, by the id of their row.

    Left out are those that were cut or split because they are too long, so that their prompt is
    not that of their row.
    """
    whole: dict[str, EncodedRow] = {}
    for row in rows:  # of an example with several rows the last one is the whole conversation
        whole[row.id.split("/")[0]] = row
    made = {}
    for example in examples:
        row = whole.get(example.id)
        if row is None:
            continue
        ids = tuple(encoder.prompt_ids(example.prompt, example.tools))
        if len(ids) < len(row.input_ids):
            made[row.id] = Asked(example, ids, row)
    return made
