"""Refuse a value that training and a test part must not share (`disjoint_by`, cases.md C27)."""

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.parts import TRAIN, Division
from foundry.data.taken import Taken

MOST_VALUES = 10  # values named in one error


def refuse_shared_values(taken: Taken, division: Division, name: str, column: str) -> None:
    """Refuse a value of `column` that both `train` and the part `name` have; blanks are no value.

    Raises:
        DataError: Names such values, and the lines on which they stand.
    """
    import numpy as np

    values = np.concatenate([np.asarray(intake.keys.values[column]) for intake in taken.files])
    number = {part: number for number, part in enumerate(division.names)}
    learned = np.flatnonzero((division.part == number[TRAIN]) & (values > 0))
    tested = np.flatnonzero((division.part == number[name]) & (values > 0))
    known, first = np.unique(values[learned], return_index=True)
    shared = tested[np.isin(values[tested], known)]
    _values, earliest = np.unique(values[shared], return_index=True)
    rows = shared[np.sort(earliest)]
    if len(rows):
        beside = learned[first[np.searchsorted(known, values[rows])]]
        pairs = zip(rows[:MOST_VALUES].tolist(), beside.tolist(), strict=False)
        problems = [_shared(taken, row, other, name, column) for row, other in pairs]
        more = len(rows) - len(problems)
        rest = [Problem(name, _("and {n} more values").format(n=more))] if more else []
        raise DataError([*problems, *rest])


def _shared(taken: Taken, row: int, other: int, name: str, column: str) -> Problem:
    what = _(
        "`{column}` is `{value}`, which test part `{part}` must not share with training "
        "(`disjoint_by`), but {file}:{line} has it"
    )
    example, (file, line) = taken.example(row), taken.place(other)
    value = example.fields[column]
    return Problem(
        f"{example.source}:{example.line}",
        what.format(column=column, value=value, part=name, file=file, line=line),
        _("take the rows of this value out of one of the two files"),
    )
