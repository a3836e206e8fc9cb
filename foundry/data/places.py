"""Where the data of a recipe lie."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A file to read, and what the manifest calls it: never by an absolute path (C43)."""

    name: str
    path: Path
