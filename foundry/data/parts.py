"""Divide the examples into `train` and the test parts, with nothing on both sides (C27).

A test part has priority: a row that a named test part holds too is taken out of training. Of rows
that say the same, the first stays. Both are listed as refused, by code and with the row they
repeat. All is decided on the keys of the examples, so that it does not matter how large they are.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.core.split import Split
from foundry.data.duplicates import text_keys
from foundry.data.keys import Keys
from foundry.data.splits import LEARNED, SIDES, TESTED, VALIDATED, group_key, one_sided, sides

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAIN, TEST, VALIDATION = (SIDES[side] for side in (LEARNED, TESTED, VALIDATED))
DUPLICATE, IN_TEST, NOT_DRAWN = "duplicate", "in-test", "not-drawn"
REMOVED = -1


@dataclass(frozen=True)
class Division:
    """Where each of the N examples of all files goes, those of files to learn from first."""

    names: tuple[str, ...]
    """Of the parts; `train` first."""
    learned: int
    """How many of the examples come from files to learn from."""
    part: "NDArray[np.int32]"
    """(N,) The number of the part in `names`, or `REMOVED`."""
    repeats: "NDArray[np.int64]"
    """(N,) The example that a removed one repeats; -1 for those that stay."""
    other_answers: Mapping[str, int]
    """By part: examples whose prompt has another answer in `train`."""
    replay_begins: int
    """The first of the examples that are only replayed; `learned` where there are none."""
    times: "NDArray[np.int64] | None" = None
    """(N,) How often each example stands in its part; None where each stands there once."""

    def is_in_test(self, begin: int, end: int) -> "NDArray[np.bool]":
        """(end - begin,) Whether an example was removed since rows for testing hold it too."""
        import numpy as np

        rows = np.arange(begin, end)
        repeats = self.repeats[begin:end]
        held_out = (rows >= self.replay_begins) & (repeats >= 0) & (self.part[repeats] > 0)
        in_test: NDArray[np.bool] = (rows < self.learned) & ((repeats >= self.learned) | held_out)
        return in_test

    @property
    def overlap(self) -> dict[str, dict[str, int]]:
        """What each test part had in common with the files to learn from."""
        import numpy as np

        owners = self.part[self.repeats[: self.learned][self.is_in_test(0, self.learned)]]
        taken = np.bincount(owners, minlength=len(self.names))
        return {
            name: {
                "removed_from_train": int(taken[number]),
                "same_prompt_other_answer": self.other_answers[name],
            }
            for number, name in enumerate(self.names)
            if name != TRAIN
        }


def divide(
    learned: Sequence[Keys],
    tests: Mapping[str, Sequence[Keys]],
    split: Split | None,
    examples: Callable[[], Iterator[Example]],
    *,
    replayed: int = 0,
) -> Division:
    """Take out what is repeated or in a named test part, then split the rest if `split` says so.

    Args:
        learned: The keys of each file to learn from, those that are only replayed last.
        tests: The keys of each file of each named test part.
        split: The recipe's split.
        examples: Gives the examples to learn from; called only to tell why a split fails.
        replayed: How many of the last files of `learned` are only replayed: never split, and
            without a row whose prompt, group or shared value is held out.

    Raises:
        DataError: A part is empty.
    """
    import numpy as np

    files = [*learned, *chain.from_iterable(tests.values())]
    said = _texts(files)
    drawn = () if split is None else tuple(SIDES[side] for side in sides(split))
    names = (TRAIN, *drawn[1:], *tests)
    part, repeats = np.zeros(len(said), np.int32), np.full(len(said), -1, np.int64)
    tested = np.full(len(said), -1, np.int64)  # by text: the example of a test part that says it
    begin = end = sum(map(len, learned))
    for name, keys in tests.items():
        begin, rows = begin + sum(map(len, keys)), np.arange(begin, begin + sum(map(len, keys)))
        part[rows] = names.index(name)
        kept = _without_repeats(rows, said, part, repeats)
        tested[said[kept]] = kept
    repeats[:end] = tested[said[:end]]
    part[:end] = np.where(repeats[:end] < 0, 0, REMOVED)
    pool = _without_repeats(np.flatnonzero(repeats[:end] < 0), said, part, repeats)
    begins = end - sum(map(len, learned[len(learned) - replayed :]))
    pool = pool[pool < begins]
    if split is not None and len(pool):
        drawn_to = _joined([keys.side for keys in learned])[pool]
        for side in sides(split):
            if not (drawn_to == side).any():
                raise DataError(_one_sided(examples(), set(pool.tolist()), split))
            part[pool[drawn_to == side]] = names.index(SIDES[side])
    if begins < end:
        _keep_out(files, part, repeats, begins, end)
    _refuse_empty(names, part)
    prompts = _joined([keys.prompt for keys in files])
    return Division(names, end, part, repeats, other_answers(names, part, prompts), begins)


def _keep_out(
    files: Sequence[Keys],
    part: "NDArray[np.int32]",
    repeats: "NDArray[np.int64]",
    begins: int,
    end: int,
) -> None:
    """Remove the rows to replay, `begins` to `end`, that ask or belong to what is held out.

    Rows of one's own that ask the same stay on one side by the split; those to replay come from
    elsewhere, and there are enough of them without these.
    """
    import numpy as np

    held = np.flatnonzero(part > 0)
    shared = list(files[0].values)
    for column in (
        _joined([keys.prompt for keys in files]),
        _joined([keys.group for keys in files]),
        *(_joined([keys.values[name] for keys in files]) for name in shared),
    ):
        rows = begins + np.flatnonzero((part[begins:end] == 0) & (column[begins:end] > 0))
        known, first = np.unique(column[held], return_index=True)
        leaked = rows[np.isin(column[rows], known)]
        part[leaked] = REMOVED
        repeats[leaked] = held[first[np.searchsorted(known, column[leaked])]]


def _joined(columns: Sequence[Any]) -> "NDArray[Any]":
    """(N,) A column over all files."""
    import numpy as np

    return np.concatenate([np.asarray(column) for column in columns])


def _texts(files: Sequence[Keys]) -> "NDArray[np.int64]":
    """(N,) A number below N for each example; equal for those that say the same."""
    import numpy as np

    high = _joined([keys.whole_high for keys in files])
    low = _joined([keys.whole_low for keys in files])
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    said = np.empty(len(order), np.int64)
    said[order] = np.cumsum(is_new) - 1
    return said


def _without_repeats(
    rows: "NDArray[np.int64]",
    said: "NDArray[np.int64]",
    part: "NDArray[np.int32]",
    repeats: "NDArray[np.int64]",
) -> "NDArray[np.int64]":
    """The first of `rows` that say the same; `part` and `repeats` of the others are set."""
    import numpy as np

    _said, first, text = np.unique(said[rows], return_index=True, return_inverse=True)
    early = rows[first[text]]
    late = rows[early != rows]
    part[late], repeats[late] = REMOVED, early[early != rows]
    return np.sort(rows[first])


def other_answers(
    names: Sequence[str], part: "NDArray[np.int32]", prompts: "NDArray[np.uint64]"
) -> dict[str, int]:
    """By part: examples whose prompt has another answer in `train`.

    No two examples that are left say the same in `train`, or in `train` and a test part; one
    prompt twice is therefore two answers.
    """
    import numpy as np

    asked, times = np.unique(prompts[part == 0], return_counts=True)
    twice = asked[times > 1]
    return {
        name: int(np.isin(prompts[part == number], asked if number else twice).sum())
        for number, name in enumerate(names)
    }


def _one_sided(examples: Iterator[Example], pool: set[int], split: Split) -> Problem:
    kept = (example for number, example in enumerate(examples) if number in pool)
    return one_sided(Counter(group_key(e, text_keys(e).prompt) for e in kept), split)


def _refuse_empty(names: Sequence[str], part: "NDArray[np.int32]") -> None:
    what = _("no rows are left for part `{part}`")
    problems = [
        Problem("data", what.format(part=name))
        for number, name in enumerate(names)
        if not (part == number).any()
    ]
    if problems:
        raise DataError(problems)
