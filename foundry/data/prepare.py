"""Stage 3: read every file a recipe names, and write the parts, the refusals and the manifest.

Nothing is lost on the way: rows in = used + refused + blank, or the stage fails as our own bug.
"""

import errno
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.recipe import Data, Source
from foundry.core.records import DatasetManifest, Example, SourceFile
from foundry.data.acceptance import lacking_columns, other_types, refuse, too_many_refused
from foundry.data.canaries import Canaries, canary_rows
from foundry.data.disjoint import refuse_shared_values
from foundry.data.intake import Intake
from foundry.data.mixture import as_recorded, mixed
from foundry.data.parts import TEST, TRAIN, VALIDATION, Division, divide
from foundry.data.taken import Taken, take_all
from foundry.data.writing import refused_by_code, write_parts, write_refusals

MANIFEST, REFUSED, WORK = "manifest.json", "refused.jsonl", ".work"
REFUSED_BY_SYSTEM = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
)


def prepare(
    data: Data, *, folder: Path, out: Path, canaries: Canaries | None = None
) -> DatasetManifest:
    """Make the parts `train` and the tests from the files of `data`, relative to `folder`.

    Memory grows by some 100 bytes a row, whatever the rows hold.

    Args:
        data: The recipe's `data` block.
        folder: Where the recipe lies.
        out: The run's `data` folder; the manifest names files relative to the folder above it.
        canaries: Made-up rows to put into `train`, which the manifest counts apart.

    Raises:
        RecipeError: Two parts have one name.
        ResourceError: A file does not exist, or the system refuses to read or write one.
        DataError: A file, a column, too many rows, or a part cannot be used; says which and where.
    """
    _refuse_names(data)
    try:
        with atomic.temporary_folder(out / WORK) as work:
            return _prepare(data, canaries, folder, out, work)
    except OSError as error:
        if error.errno not in REFUSED_BY_SYSTEM:
            raise
        what = _("cannot be read or written ({detail})").format(detail=error.strerror)
        fix = _("make space on the disk, or allow the file to be read; then run it again")
        raise ResourceError(Problem(str(error.filename or out), what, fix)) from error


def _prepare(
    data: Data, canaries: Canaries | None, folder: Path, out: Path, work: Path
) -> DatasetManifest:
    taken = take_all(data, folder, work)
    _accept(data, taken)
    keys = {name: [i.keys for i in intakes] for name, intakes in taken.tests.items()}
    learned = [intake.keys for intake in taken.learned]
    replayed = len(taken.learned) - len(taken.own)
    division = divide(learned, keys, data.split, taken.learned_examples, replayed=replayed)
    division, mixture = mixed(data, taken, division)
    for test in data.tests:
        if test.disjoint_by is not None:
            refuse_shared_values(taken, division, test.name, test.disjoint_by)
    planted = _planted(canaries, taken)
    manifest = _manifest(data, taken, division, planted, out)
    manifest = replace(manifest, mixture=as_recorded(mixture, taken))
    _refuse_unbalanced(manifest)
    atomic.write_json(out / MANIFEST, manifest.as_dict())
    return manifest


def iterate_lines(path: Path) -> Iterator[str]:
    """The examples of a part, in order, each as its line of JSON."""
    with path.open(encoding="utf-8") as stream:
        yield from stream


def read_examples(path: Path) -> list[Example]:
    """The examples of a part, in order; for test parts, which are small."""
    return [Example.from_dict(json.loads(line)) for line in iterate_lines(path)]


def read_once(path: Path) -> list[Example]:
    """The examples of `train`, each once, however often it is trained on in an epoch."""
    return list({example.id: example for example in read_examples(path)}.values())


def _refuse_names(data: Data) -> None:
    own = [TRAIN, *([TEST] if data.split and data.split.test else [])]
    own += [VALIDATION] if data.is_validated else []
    taken = [*own, *(test.name for test in data.tests)]
    what = _("two parts are called `{name}`")
    fix = _("give the test part another name; {names} are taken").format(names=", ".join(own))
    problems = [
        Problem("data.tests", what.format(name=name), fix)
        for name, count in Counter(taken).items()
        if count > 1
    ]
    if problems:
        raise RecipeError(problems)


def _accept(data: Data, taken: Taken) -> None:
    """Refuse the data before anything is made of them.

    The limit holds for each test, and for what is replayed, by itself.
    """
    replayed = taken.learned[len(taken.own) :]
    refuse(lacking_columns(data, taken.own, taken.tests, replayed))
    refuse(other_types(taken.own, replayed))
    problems = too_many_refused(taken.own, data.max_refused)
    problems += too_many_refused(replayed, data.max_refused)
    for intakes in taken.tests.values():
        problems += too_many_refused(intakes, data.max_refused)
    refuse(problems)


def _planted(canaries: Canaries | None, taken: Taken) -> tuple[Example, ...]:
    """The rows that the recipe wants put into `train`, of the type of the others."""
    if canaries is None:
        return ()
    return tuple(canary_rows(canaries, next(taken.learned_examples())))


def _manifest(
    data: Data, taken: Taken, division: Division, planted: Sequence[Example], out: Path
) -> DatasetManifest:
    files = taken.files
    refused = [refused_by_code(taken, division, file) for file in range(len(files))]
    by_code = sum(refused, Counter[str]())
    parts = write_parts(taken, division, planted, out)
    return DatasetManifest(
        sources=tuple(map(_record, _declared(data, taken), files, refused)),
        parts=parts,
        rows_in=sum(intake.rows + intake.blank for intake in files),
        rows_used=int((division.part >= 0).sum()),
        rows_refused=write_refusals(taken, division, out / REFUSED),
        rows_blank=sum(intake.blank for intake in files),
        refused_by_code=dict(sorted(by_code.items())),
        overlap=division.overlap,
        turns=dict(sum((intake.turns for intake in files), Counter[str]())),
        notices=_notices(taken, division, planted),
        noticed={code: first for i in reversed(files) for code, first in i.noticed.items()},
        skipped=taken.skipped,
        planted=len(planted),
    )


def _refuse_unbalanced(manifest: DatasetManifest) -> None:
    used = manifest.rows_used + manifest.rows_refused + manifest.rows_blank
    if manifest.rows_in != used or manifest.rows_used != sum(s.used for s in manifest.sources):
        raise RuntimeError(f"rows do not balance: {manifest.rows_in} in, {used} accounted for")
    again = manifest.planted + manifest.mixture.get("repeated", 0)
    written = sum(part.rows for part in manifest.parts)
    if written != manifest.rows_used + again:
        raise RuntimeError(f"parts do not balance: {written} written, {manifest.rows_used} used")


def _declared(data: Data, taken: Taken) -> Iterator[Source | None]:
    """The source that each file belongs to; None for a file for testing only."""
    for (_key, source), intakes in zip(data.learned, taken.sources, strict=True):
        yield from (source for _intake in intakes)
    for intakes in taken.tests.values():
        yield from (None for _intake in intakes)


def _record(source: Source | None, intake: Intake, refused: Counter[str]) -> SourceFile:
    """A file as the manifest names it; one for testing only has no licence or declaration."""
    return SourceFile(
        path=intake.name,
        sha256=atomic.sha256(intake.path),
        size_bytes=intake.path.stat().st_size,
        encoding=intake.encoding,
        rows=intake.rows,
        licence=source.licence if source else "",
        declaration=source.declaration.model_dump() if source else {},
        kind=intake.kind,
        format=intake.format.model_dump(mode="json"),
        guessed=intake.guessed,
        columns=tuple(intake.columns),
        used=intake.rows - refused.total(),
        refused=dict(sorted(refused.items())),
        blank=intake.blank,
        turns=dict(intake.turns),
        notices=dict(intake.notices),
        noticed=intake.noticed,
    )


def _notices(taken: Taken, division: Division, planted: Sequence[Example]) -> dict[str, int]:
    """What a person should look at though nothing was refused for it, counted by code."""
    counts = sum((intake.notices for intake in taken.files), Counter[str]())
    counts["same-prompt-other-answer"] = division.other_answers[TRAIN]
    counts["canaries"] = len(planted)
    return {code: count for code, count in counts.items() if count}
