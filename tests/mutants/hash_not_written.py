"""`SHA256SUMS` leaves a file out, or has the hash of another."""

from pathlib import Path

from foundry.core import atomic
from foundry.delivery import sums
from tests.mutants.mutant import Mutant

write = sums.write
FILE = "gguf-q8_0/model.gguf"


def without(folder: Path) -> dict[str, str]:
    hashes = write(folder)
    lines = (folder / sums.NAME).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.endswith(f"  {FILE}\n"))
    atomic.write_text(folder / sums.NAME, kept)
    return hashes


def before_the_last_write(folder: Path) -> dict[str, str]:
    hashes = write(folder)
    with (folder / FILE).open("ab") as stream:
        stream.write(b"\0")
    return hashes


MUTANTS = (
    Mutant(
        "a file is left out",
        lambda patch: patch.setattr(sums, "write", without),
        "package",
        FILE,
        "the file is not listed in SHA256SUMS",
    ),
    Mutant(
        "a file is written after it was hashed",
        lambda patch: patch.setattr(sums, "write", before_the_last_write),
        "package",
        FILE,
        "the file was changed",
    ),
)
