"""A few rows to show: one of each kind, decoded, with the supervised stretches told apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundry.encode.rows import Encoded
from foundry.encode.tokenize import runs

FIRST, LONGEST = "first", "longest"
SHOWN_IDS = 2048  # of a longer row the middle is left out


@dataclass(frozen=True)
class Sample:
    """Ids and labels of a row, and where it stands."""

    source: str
    line: int
    ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass
class Samples:
    """The first row of each kind that was seen, and the longest of all."""

    found: dict[str, list[Sample]] = field(default_factory=dict)

    def look_at(self, encoded: Encoded) -> None:
        """Keep the rows of an example if they are the first of a kind, or the longest."""
        for kind in kinds(encoded):
            if kind not in self.found:
                self.found[kind] = _samples(encoded)
        longest = self.found.get(LONGEST)
        if longest is None or encoded.longest > _most(longest):
            self.found[LONGEST] = _samples(encoded)

    def include(self, later: "Samples") -> None:
        """Take in what was found among the rows that follow."""
        for kind, samples in later.found.items():
            if kind not in self.found or (
                kind == LONGEST and _most(samples) > _most(self.found[kind])
            ):
                self.found[kind] = samples

    def as_list(self, tokenizer: Any) -> list[dict[str, Any]]:
        """Each sample as texts that are supervised or not, in order."""
        shown = list[list[Sample]]()
        made = list[dict[str, Any]]()
        for kind, samples in self.found.items():
            if samples in shown:
                continue
            shown.append(samples)
            made += [
                {
                    "kind": kind,
                    "source": sample.source,
                    "line": sample.line,
                    "tokens": len(sample.ids),
                    "parts": parts(sample.ids, sample.labels, tokenizer),
                }
                for sample in samples
            ]
        return made


def kinds(encoded: Encoded) -> Iterator[str]:
    """What is worth showing about an example."""
    turns = encoded.example.messages
    yield FIRST
    if any(turn.tool_calls for turn in turns):
        yield "tool-call"
    if any(turn.reasoning for turn in turns):
        yield "reasoning"
    if sum(turn.role == "assistant" for turn in turns) > 1:
        yield "multi-turn"
    if len(encoded.rows) > 1:
        yield "split-turns"


def _most(samples: Sequence[Sample]) -> int:
    return max(len(sample.ids) for sample in samples)


def _samples(encoded: Encoded) -> list[Sample]:
    example = encoded.example
    return [Sample(example.source, example.line, p.ids, p.labels) for p in encoded.pieces]


def parts(ids: Sequence[int], labels: Sequence[int], tokenizer: Any) -> list[dict[str, Any]]:
    """The row as texts, each with whether it is supervised; a long row without its middle."""
    made, at = list[dict[str, Any]](), 0
    for start, stop in [*runs(labels), (len(ids), len(ids))]:
        for begin, end, supervised in ((at, start, False), (start, stop, True)):
            if end > begin:
                made.append({"text": _text(ids[begin:end], tokenizer), "supervised": supervised})
        at = stop
    return made


def _text(ids: Sequence[int], tokenizer: Any) -> str:
    if len(ids) <= SHOWN_IDS:
        return str(tokenizer.decode(ids))
    half = SHOWN_IDS // 2
    return f"{tokenizer.decode(ids[:half])} … {tokenizer.decode(ids[-half:])}"


def as_marked(sample: dict[str, Any]) -> str:
    """A sample as one text with each supervised stretch between ⟦ and ⟧."""
    texts = (f"⟦{p['text']}⟧" if p["supervised"] else p["text"] for p in sample["parts"])
    return "".join(texts)
