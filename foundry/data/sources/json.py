"""Source `json`: a list of objects; objects on lines of their own are read too."""

from collections.abc import Iterator
from pathlib import Path

from foundry.data import encoding, json_rows
from foundry.data.rows import Item

SUFFIXES = (".json",)


class Spec(encoding.TextSpec):
    """Which encoding; the content says which shape the file has."""


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows of the file, each with the line on which it begins."""
    return json_rows.read_rows(path, encoding.decide(path, spec, "json").name)


def describe(path: Path, spec: Spec) -> str:
    """How the bytes are read: the encoding."""
    return str(encoding.decide(path, spec, "json"))
