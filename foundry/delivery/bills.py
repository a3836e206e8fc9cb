"""The bills in a package: written when it is built, made again from its records to verify it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.errors import FoundryError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.rundir import RunDir
from foundry.delivery import ml_bom, provenance, sovereignty, steps, sums
from foundry.delivery.inside import Inside, differences, is_plain

# What a record of another form than ours makes of the functions that read it.
NOT_RECORDS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
BILLS: Mapping[str, Callable[[Inside], dict[str, Any]]] = {
    ml_bom.NAME: ml_bom.document,
    provenance.NAME: provenance.document,
    sovereignty.NAME: sovereignty.document,
}


def write(folder: Path, run: RunDir) -> None:
    """Add the bills to a package whose other records are written.

    Raises:
        ProofError: The ML-BOM is not valid CycloneDX.
    """
    atomic.write_json(folder / steps.NAME, steps.record(run))
    inside = Inside.of(folder)
    for name, made in BILLS.items():
        atomic.write_json(folder / name, made(inside))
    found = list(_invalid(folder))
    if found:
        raise ProofError(found)


def problems(folder: Path) -> Iterator[Problem]:
    """What a package's bills say that its records do not, each with its file and JSON path."""
    try:
        inside = Inside.of(folder)
    except FoundryError:
        return  # package.json is told of elsewhere
    except NOT_RECORDS as error:
        what = _("the records are not in their form ({error})").format(error=error)
        yield Problem("foundry", what, sums.again())
        return
    for name, made in BILLS.items():
        yield from _differs(folder / name, made, inside)
    if is_plain(folder / ml_bom.NAME):
        yield from _read(lambda: _invalid(folder), ml_bom.NAME)
    yield from _read(lambda: sovereignty.broken(inside), sovereignty.NAME)


def _differs(
    path: Path, made: Callable[[Inside], dict[str, Any]], inside: Inside
) -> Iterator[Problem]:
    if not is_plain(path):
        yield Problem(path.name, _("missing, or not a file of the expected kind"), sums.again())
        return
    yield from _read(
        lambda: differences(path.name, json.loads(path.read_bytes()), made(inside)), path.name
    )


def _read(check: Callable[[], Iterable[Problem]], name: str) -> Iterator[Problem]:
    """What a check finds, or that it could not read what stands there."""
    try:
        yield from check()
    except FoundryError as error:
        yield from error.problems
    except NOT_RECORDS as error:
        yield Problem(name, _("not in its form ({error})").format(error=error), sums.again())


def _invalid(folder: Path) -> Iterator[Problem]:
    text = (folder / ml_bom.NAME).read_text(encoding="utf-8", errors="replace")
    if wrong := ml_bom.fault(text):
        what = _("not valid CycloneDX 1.6 ({error})").format(error=wrong)
        yield Problem(ml_bom.NAME, what, sums.again())
