"""Stage 3: read every file a recipe names, and write the parts, the refusals and the manifest.

Nothing is lost on the way: rows in = used + refused + blank, or the stage fails as our own bug.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.recipe import Data, Source, TestPart
from foundry.core.records import DatasetManifest, Example, Part, Refusal, SourceFile
from foundry.data.acceptance import missing_columns, refuse, too_many_refused
from foundry.data.duplicates import other_answers
from foundry.data.intake import Converter, Intake, take
from foundry.data.parts import TEST, TRAIN, Division, divide, refuse_shared_values

MANIFEST, REFUSED = "manifest.json", "refused.jsonl"


def prepare(data: Data, *, folder: Path, out: Path) -> DatasetManifest:
    """Make the parts `train` and the tests from the files of `data`, relative to `folder`.

    Args:
        data: The recipe's `data` block.
        folder: Where the recipe lies.
        out: The run's `data` folder; the manifest names files relative to the folder above it.

    Raises:
        RecipeError: Two parts have one name.
        ResourceError: A file does not exist.
        DataError: A file, a column, too many rows, or a part cannot be used; says which and where.
    """
    _refuse_names(data)
    group_by = data.split.group_by if data.split else None
    convert = Converter(data.format, group_by)
    learned = [take(folder, s.path, convert, s.read) for s in data.sources]
    tested = {
        test.name: take(
            folder, test.path, Converter(data.format, test.disjoint_by or group_by), test.read
        )
        for test in data.tests
    }
    _accept(data, learned, tested)
    division = divide(
        [example for intake in learned for example in intake.examples],
        {name: intake.examples for name, intake in tested.items()},
        data.split,
    )
    for test in data.tests:
        if test.disjoint_by is not None:
            refuse_shared_values(division.parts, test.name, test.disjoint_by)
    return _write(data, [*learned, *tested.values()], division, out)


def iterate_examples(path: Path) -> Iterator[Example]:
    """The examples of a part, in order, one at a time."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield Example.from_dict(json.loads(line))


def read_examples(path: Path) -> list[Example]:
    """The examples of a part, in order; for test parts, which are small."""
    return list(iterate_examples(path))


def _refuse_names(data: Data) -> None:
    taken = [TRAIN, *([TEST] if data.split else []), *(test.name for test in data.tests)]
    what = _("two parts are called `{name}`")
    fix = _("give the test part another name; `train` and the split's `test` are taken")
    problems = [
        Problem("data.tests", what.format(name=name), fix)
        for name, count in Counter(taken).items()
        if count > 1
    ]
    if problems:
        raise RecipeError(problems)


def _accept(data: Data, learned: Sequence[Intake], tested: Mapping[str, Intake]) -> None:
    """Refuse the data before anything is made of them; the limit holds for each test by itself."""
    wanted = plugins.load("format", data.format.kind).columns(data.format.spec)
    shared = [test.disjoint_by for test in data.tests if test.disjoint_by]
    grouped = [data.split.group_by] if data.split and data.split.group_by else []
    problems = missing_columns(learned, [*wanted, *grouped, *shared])
    for test in data.tests:
        own = [test.disjoint_by] if test.disjoint_by else []
        problems += missing_columns([tested[test.name]], [*wanted, *own])
    refuse(problems)
    problems = too_many_refused(learned, data.max_refused)
    for intake in tested.values():
        problems += too_many_refused([intake], data.max_refused)
    refuse(problems)


def _write(data: Data, intakes: Sequence[Intake], division: Division, out: Path) -> DatasetManifest:
    refusals = [refusal for intake in intakes for refusal in intake.refusals]
    refusals += division.removed
    manifest = DatasetManifest(
        sources=tuple(_records(data, intakes)),
        parts=tuple(_write_part(name, part, out) for name, part in division.parts.items()),
        rows_in=sum(intake.rows + intake.blank for intake in intakes),
        rows_used=sum(len(part) for part in division.parts.values()),
        rows_refused=len(refusals),
        rows_blank=sum(intake.blank for intake in intakes),
        refused_by_code=dict(sorted(Counter(refusal.code for refusal in refusals).items())),
        overlap=division.overlap,
        turns=dict(sum((intake.turns for intake in intakes), Counter[str]())),
        notices=_notices(intakes, division.parts[TRAIN]),
        noticed={code: first for i in reversed(intakes) for code, first in i.noticed.items()},
    )
    used = manifest.rows_used + manifest.rows_refused + manifest.rows_blank
    if manifest.rows_in != used:
        raise RuntimeError(f"rows do not balance: {manifest.rows_in} in, {used} accounted for")
    _write_lines(out / REFUSED, sorted(refusals, key=lambda r: (r.source, r.line)))
    atomic.write_json(out / MANIFEST, manifest.as_dict())
    return manifest


def _records(data: Data, intakes: Sequence[Intake]) -> Iterable[SourceFile]:
    """The files as the manifest names them; a test file comes without licence or declaration."""
    declared: list[Source | TestPart] = [*data.sources, *data.tests]
    for given, intake in zip(declared, intakes, strict=True):
        if isinstance(given, Source):
            yield intake.record(given.licence, given.declaration.model_dump())
        else:
            yield intake.record("", {})


def _notices(intakes: Sequence[Intake], train: Sequence[Example]) -> dict[str, int]:
    """What a person should look at though nothing was refused for it, counted by code."""
    counts = sum((intake.notices for intake in intakes), Counter[str]())
    counts["same-prompt-other-answer"] = other_answers(train, train)
    return {code: count for code, count in counts.items() if count}


def _write_part(name: str, examples: Sequence[Example], out: Path) -> Part:
    file = out / f"{name}.jsonl"
    _write_lines(file, examples)
    return Part(
        name=name,
        file=f"{out.name}/{file.name}",
        rows=len(examples),
        sha256=atomic.sha256(file),
        groups=len({example.group for example in examples}),
    )


def _write_lines(path: Path, records: Iterable[Example | Refusal]) -> None:
    lines = (json.dumps(r.as_dict(), ensure_ascii=False, allow_nan=False) for r in records)
    atomic.write_text(path, "".join(f"{line}\n" for line in lines))
