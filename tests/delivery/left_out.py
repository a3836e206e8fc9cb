"""Leave one duty out of a package, as someone would who lists the new hashes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import Problem, ProofError
from foundry.delivery import sums
from foundry.delivery.verify import verify
from foundry.policy.duties import Duty


def named_when_left_out(package: Path, duty: Duty) -> bool:
    """Whether `verify` names the duty, its licence and its clause once it is not kept."""
    with left_out(package, duty):
        try:
            verify(package)
        except ProofError as error:
            return any(_names(problem, duty) for problem in error.problems)
    return False


def _names(problem: Problem, duty: Duty) -> bool:
    clause = duty.clause or "not known"
    said = [duty.licence.title.en, clause, duty.wanted if duty.kind == "sentence" else ""]
    return problem.where == duty.file and all(words in problem.what for words in said)


@contextmanager
def left_out(package: Path, duty: Duty) -> Iterator[None]:
    """Undo a duty, and put everything back at the end."""
    touched = [package / sums.NAME, *package.glob(duty.file)]
    before = {path: path.read_bytes() for path in touched}
    _take_out(package, duty)
    sums.write(package)
    try:
        yield
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def _take_out(package: Path, duty: Duty) -> None:
    if duty.kind == "name":
        record = json.loads((package / "package.json").read_text(encoding="utf-8"))
        atomic.write_json(package / "package.json", {**record, "name": "shop"})
    elif duty.kind == "sentence":
        path = package / duty.file
        text = path.read_text(encoding="utf-8")
        assert duty.wanted in text
        path.write_text(text.replace(duty.wanted, ""), encoding="utf-8", newline="\n")
    else:
        for path in list(package.glob(duty.file)):
            path.unlink()
