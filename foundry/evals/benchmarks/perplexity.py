"""Benchmark `perplexity`: how likely plain text is to a model, per token and per byte.

A file is cut at line ends into pieces of at most 1,000 characters (a longer line is cut within).
Each piece is read by itself, after the model's BOS, or its end token where it has none, which
stands in front of a text in pre-training; so every token of the file is counted once, with at most
a piece of context, and the numbers do not depend on how long a context a model can read.
"""

from collections.abc import Iterator
from pathlib import Path

from foundry.core.records import Example
from foundry.data import encoding

version = 1
TITLE = {"en": "Perplexity of a text", "zh-TW": "文字的困惑度"}
FILES = ("*.txt", "*.md")
METHOD = "text"
SHOTS = 0
EVALS = ({"kind": "likelihood"},)
LONGEST = 1000


def read(path: Path) -> Iterator[Example]:
    """The pieces of the file in order; together they are its text."""
    codec = encoding.decide(path, encoding.TextSpec(), "txt").name
    with encoding.open_text(path, codec) as stream:
        text = stream.read()
    for number, (line, piece) in enumerate(pieces(text), start=1):
        key = f"{path.stem}-{number}"
        yield Example(key, (), path.name, line, key, text=piece)


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Each piece with the number of the line it begins on; pieces of white space are left out."""
    piece, begin = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if piece and len(piece) + len(line) > LONGEST:
            yield from _kept(begin, piece)
            piece, begin = "", number
        piece = piece + line if piece else line
        begin = begin if len(piece) > len(line) else number
        while len(piece) > LONGEST:
            yield from _kept(begin, piece[:LONGEST])
            piece = piece[LONGEST:]
    yield from _kept(begin, piece)


def _kept(line: int, piece: str) -> Iterator[tuple[int, str]]:
    if piece.strip():
        yield line, piece
