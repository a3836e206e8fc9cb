"""Files and recipes' data blocks small enough to read in a test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core.recipe import Data
from foundry.core.records import DatasetManifest, Example
from foundry.data.prepare import prepare, read_examples

QUESTION_ANSWER = {"kind": "question-answer"}
DECLARATION = {"basis": "own-work", "by": "tests", "purpose": "testing"}


class Bench:
    """A recipe's folder, and what was made of the files in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "run" / "data"

    def write(self, name: str, content: str | bytes | list[dict[str, Any]]) -> Path:
        """Write text as UTF-8, bytes as they are, rows as JSON lines."""
        if isinstance(content, list):
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
        path = self.folder / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def prepare(self, *sources: str, **data: Any) -> DatasetManifest:
        """Run stage 3 on `sources` as question-answer rows, every row allowed to be refused."""
        declared = [
            {"path": path, "licence": "CC0-1.0", "declaration": DECLARATION} for path in sources
        ]
        given = {"sources": declared} if declared else {}
        block = {"format": QUESTION_ANSWER, "max_refused": 1.0, **data, **given}
        return prepare(Data.model_validate(block), folder=self.folder, out=self.out)

    def part(self, name: str = "train") -> list[Example]:
        """The examples of a part as written."""
        return read_examples(self.out / f"{name}.jsonl")

    def refused(self) -> list[tuple[int, str]]:
        """Line and code of each refused row, in the order of the file."""
        text = (self.out / "refused.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        return [(row["line"], row["code"]) for row in rows]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty recipe folder."""
    return Bench(tmp_path)


@pytest.fixture
def file(bench: Bench) -> Callable[..., Path]:
    """Writes a file: `file("a.csv", content)`."""
    return bench.write
