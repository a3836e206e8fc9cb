"""Write what was taken in: every example to its part, every refused row to one list."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from foundry.core import atomic
from foundry.core.faults import fault_point
from foundry.core.language import gettext as _
from foundry.core.records import Example, Part, Refusal
from foundry.data.intake import LINE
from foundry.data.parts import DUPLICATE, IN_TEST, NOT_DRAWN, REMOVED, Division
from foundry.data.taken import Taken

BUFFER_BYTES = 1 << 20


def write_parts(
    taken: Taken, division: Division, planted: Sequence[Example], out: Path
) -> tuple[Part, ...]:
    """Copy the examples to `out/train.jsonl` and the like, in the order of the files.

    A row that is trained on several times in an epoch stands there as often, one after the other.

    `planted` rows stand at the end of `train`, the first part.
    """
    paths = [out / f"{name}.jsonl" for name in division.names]
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic.replacing(path)) for path in paths]
        streams = [stack.enter_context(path.open("wb", BUFFER_BYTES)) for path in temporary]
        rows = [0 for _name in division.names]
        for file, intake in enumerate(taken.files):
            span = slice(taken.begins[file], taken.begins[file + 1])
            part = division.part[span].tolist()
            times = [1] * len(part) if division.times is None else division.times[span].tolist()
            with intake.examples.open("rb", BUFFER_BYTES) as lines:
                for number, often, line in zip(part, times, lines, strict=True):
                    if number >= 0:
                        streams[number].write(line * often)
                        rows[number] += often
            fault_point("rows-write")
        streams[0].writelines(f"{LINE.encode(row.as_dict())}\n".encode() for row in planted)
    rows[0] += len(planted)
    groups = _groups(taken, division)
    groups[0] += len({row.group for row in planted})
    return tuple(
        Part(name, f"{out.name}/{path.name}", count, atomic.sha256(path), distinct)
        for name, path, count, distinct in zip(division.names, paths, rows, groups, strict=True)
    )


def write_refusals(taken: Taken, division: Division, path: Path) -> int:
    """Write every refused row, the files by name and their rows by line; returns how many."""
    count = 0
    with (
        atomic.replacing(path) as temporary,
        temporary.open("w", BUFFER_BYTES, encoding="utf-8", newline="\n") as stream,
    ):
        for file in sorted(range(len(taken.files)), key=lambda n: taken.files[n].name):
            both = taken.files[file].read_refusals(), _removed(taken, division, file)
            for refusal in heapq.merge(*both, key=lambda refusal: refusal.line):
                stream.write(f"{LINE.encode(refusal.as_dict())}\n")
                count += 1
    return count


def refused_by_code(taken: Taken, division: Division, file: int) -> Counter[str]:
    """How many rows of a file were refused, those that repeat others among them."""
    begin, end = taken.begins[file], taken.begins[file + 1]
    repeats = division.repeats[begin:end]
    in_test = int(division.is_in_test(begin, end).sum())
    removed = {
        IN_TEST: in_test,
        DUPLICATE: int((repeats >= 0).sum()) - in_test,
        NOT_DRAWN: int(((repeats < 0) & (division.part[begin:end] == REMOVED)).sum()),
    }
    return Counter({**taken.files[file].refused, **{c: n for c, n in removed.items() if n}})


def _removed(taken: Taken, division: Division, file: int) -> Iterator[Refusal]:
    """The examples of a file that repeat another or are not drawn, in the order of the file."""
    same = _("says the same as {file}:{line}")
    tested = _("also in test part `{part}`, {file}:{line}")
    asked = _("asks or belongs to what part `{part}` holds out, {file}:{line}")
    not_drawn = _("left out by the mixture of sources")
    begin, end = taken.begins[file], taken.begins[file + 1]
    in_test = division.is_in_test(begin, end).tolist()
    for number, other in enumerate(division.repeats[begin:end].tolist(), start=begin):
        if other < 0 and division.part[number] != REMOVED:
            continue
        source, line = taken.place(number)
        if other < 0:
            yield Refusal(source, line, NOT_DRAWN, not_drawn)
            continue
        early, early_line = taken.place(other)
        if in_test[number - begin]:
            part = division.names[division.part[other]]
            words = tested if number < division.replay_begins else asked
            reason = words.format(part=part, file=early, line=early_line)
            yield Refusal(source, line, IN_TEST, reason)
        else:
            yield Refusal(source, line, DUPLICATE, same.format(file=early, line=early_line))


def _groups(taken: Taken, division: Division) -> list[int]:
    """How many groups each part has."""
    import numpy as np

    group = np.concatenate([np.asarray(intake.keys.group) for intake in taken.files])
    return [len(np.unique(group[division.part == n])) for n in range(len(division.names))]
