"""The mask report: what will be trained, counted and shown before step 1, and refused if wrong.

Gate 1 of `cases.md` §1b. Every count is taken from the ids and labels that training will read, not
from the texts they were made of.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow, Example
from foundry.encode.tokenize import IGNORED, Encoded, Encoder

SAMPLES = 3
HISTOGRAM_STEP = 64


@dataclass
class MaskReport:
    """Counts over the encoded rows of one training part."""

    encoder: Encoder
    kept: list[EncodedRow] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    stops: Counter[int] = field(default_factory=Counter)
    turns: int = 0
    straddling: int = 0
    supervised: int = 0
    lengths: Counter[int] = field(default_factory=Counter)

    def add(self, example: Example, encoded: Encoded, max_seq_len: int) -> None:
        """Count one row; drop it when it is too long (C11), note what is wrong with it."""
        row = encoded.row
        if len(row.input_ids) > max_seq_len:
            self._drop(example, len(row.input_ids), max_seq_len)
            return
        self.faults += row_faults(example, encoded, self.encoder)
        self.kept.append(row)
        self.turns += len(encoded.stops)
        self.stops.update(supervised_stops(encoded))
        self.straddling += encoded.straddling > 0
        self.supervised += supervised_tokens(row)
        self.lengths[len(row.input_ids) // HISTOGRAM_STEP * HISTOGRAM_STEP] += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(marked(row, self.encoder.tokenizer))

    def _drop(self, example: Example, length: int, max_seq_len: int) -> None:
        reason = _("{length} tokens, the limit is {limit}")
        self.dropped.append(
            {
                "source": example.source,
                "line": example.line,
                "code": "over-length",
                "reason": reason.format(length=length, limit=max_seq_len),
            }
        )

    def check(self, *, overlong: str) -> None:
        """Refuse to go on.

        Raises:
            DataError: A row has nothing or everything supervised, a wrong number of BOS, or an
                assistant turn whose stop id is not supervised; no row is left; rows are too long
                and the recipe says `overlong: fail`.
        """
        problems = list(self.faults)
        if self.dropped and overlong == "fail":
            problems += [
                Problem(f"{d['source']}:{d['line']}", d["reason"], _("raise `encode.max_seq_len`"))
                for d in self.dropped
            ]
        if not self.kept:
            what = _("no row is left to train on ({dropped} over the length limit)")
            fix = _("raise `encode.max_seq_len` or shorten the rows")
            problems.append(Problem("encode", what.format(dropped=len(self.dropped)), fix))
        if problems:
            raise DataError(problems)

    def as_dict(self) -> dict[str, Any]:
        """The report as `mask_report.json` holds it."""
        tokens = sum(len(row.input_ids) for row in self.kept)
        return {
            "rows": len(self.kept),
            "rows_over_length": len(self.dropped),
            "dropped": self.dropped,
            "tokens": tokens,
            "supervised_tokens": self.supervised,
            "supervised_share": round(self.supervised / tokens, 4) if tokens else 0.0,
            "assistant_turns": self.turns,
            "stops_supervised": {str(k): v for k, v in sorted(self.stops.items())},
            "bos_per_row": 0 if self.encoder.bos_id is None else 1,
            "rows_with_merged_seam": self.straddling,
            "length_histogram": {str(k): v for k, v in sorted(self.lengths.items())},
            "samples": self.samples,
        }


def row_faults(example: Example, encoded: Encoded, encoder: Encoder) -> list[Problem]:
    """What makes a row unfit for training; empty for a good one. C01, C02, C03, C04, C09."""
    row, where = encoded.row, f"{example.source}:{example.line}"
    count = supervised_tokens(row)
    found = []
    if count == 0 or count == len(row.input_ids):
        what = _("{count} of {total} tokens are supervised")
        found.append(what.format(count=count, total=len(row.input_ids)))
    elif wrong := _wrong_stretch(example, encoded, encoder):
        what = _("the supervised text is not the answer and its end ({text})")
        found.append(what.format(text=wrong))
    elif _reaches_into_prompt(example, row, encoder):
        what = _("tokens of the prompt are supervised ({text!r})")
        found.append(what.format(text=encoder.tokenizer.decode(_stretches(row)[0])))
    if _bos_count(row, encoder.bos_id) != 1:
        what = _("the row must begin with exactly one BOS; it begins with {ids}")
        found.append(what.format(ids=list(row.input_ids[:3])))
    if len(supervised_stops(encoded)) != len(encoded.stops):
        what = _("{turns} assistant turns, but {stops} supervised stop ids")
        turns, stops = len(encoded.stops), len(supervised_stops(encoded))
        found.append(what.format(turns=turns, stops=stops))
    return [Problem(where, what, _("check the chat template of the base model")) for what in found]


def _bos_count(row: EncodedRow, bos_id: int | None) -> int:
    """BOS ids at the head; 1 where the model has no BOS."""
    if bos_id is None:
        return 1
    return next((n for n, token in enumerate(row.input_ids) if token != bos_id), 0)


def _wrong_stretch(example: Example, encoded: Encoded, encoder: Encoder) -> str | None:
    """The first supervised stretch that does not say what its assistant turn says."""
    answers = [turn.content for turn in example.messages if turn.role == "assistant"]
    stretches = _stretches(encoded.row)
    if len(stretches) != len(answers):
        return " … ".join(encoder.tokenizer.decode(s) for s in stretches)
    names = {token: name for name, token in encoder.special.items()}
    for answer, stop, stretch in zip(answers, encoded.stops, stretches, strict=True):
        found = _squash(encoder.tokenizer.decode(stretch))
        wanted = _squash(answer + names[stop])
        if found != wanted and not (encoded.straddling and found.endswith(wanted)):
            return str(encoder.tokenizer.decode(stretch))
    return None


def _reaches_into_prompt(example: Example, row: EncodedRow, encoder: Encoder) -> bool:
    """Whether a stretch begins before the row leaves the ids of its prompt. C03, C06.

    The texts above are compared without white space, in which most prompts end.
    """
    turns, labels = example.messages, row.labels
    prompts = [encoder.prompt_ids(turns[:n]) for n, t in enumerate(turns) if t.role == "assistant"]
    before = (IGNORED, *labels)
    starts = [n for n, b in enumerate(labels) if b != IGNORED and before[n] == IGNORED]
    return any(s < _common(row.input_ids, p) for s, p in zip(starts, prompts, strict=True))


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many ids both begin with."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _squash(text: str) -> str:
    """Without white space, which templates trim and decoders normalise."""
    return "".join(text.split())


def _stretches(row: EncodedRow) -> list[list[int]]:
    """The runs of supervised labels, in order."""
    runs = groupby(row.labels, key=lambda label: label != IGNORED)
    return [list(run) for supervised, run in runs if supervised]


def supervised_stops(encoded: Encoded) -> list[int]:
    """The stop ids that stand at the end of a supervised stretch, in order."""
    ends = [stretch[-1] for stretch in _stretches(encoded.row)]
    return [end for end, stop in zip(ends, encoded.stops, strict=False) if end == stop]


def supervised_tokens(row: EncodedRow) -> int:
    """Positions of a row on which a loss is taken."""
    return sum(label != IGNORED for label in row.labels)


def marked(row: EncodedRow, tokenizer: Any) -> str:
    """The row as text with each supervised stretch between ⟦ and ⟧."""
    pieces, stretch, inside = [], list[int](), False
    for token, label in [*zip(row.input_ids, row.labels, strict=True), (None, None)]:
        if stretch and (token is None or (label != IGNORED) != inside):
            text = tokenizer.decode(stretch)
            pieces.append(f"⟦{text}⟧" if inside else text)
            stretch = []
        inside = label != IGNORED
        stretch.append(token)  # type: ignore[arg-type]
    return "".join(pieces)


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    share = f"{report['supervised_share']:.1%}"
    stops = ", ".join(f"{k} x{n}" for k, n in report["stops_supervised"].items())
    lines = [
        _("rows to train on: {rows}; left out for their length: {dropped}").format(
            rows=report["rows"], dropped=report["rows_over_length"]
        ),
        _("tokens: {tokens}; supervised: {supervised} ({share})").format(
            tokens=report["tokens"], supervised=report["supervised_tokens"], share=share
        ),
        _("assistant turns: {turns}; supervised stop ids: {stops}").format(
            turns=report["assistant_turns"], stops=stops
        ),
        _(
            "BOS at the head of each row: {bos}; rows with a token merged over the seam: {seam}"
        ).format(bos=report["bos_per_row"], seam=report["rows_with_merged_seam"]),
        _("three rows as trained; ⟦ ⟧ marks what is supervised:"),
        *("  " + sample.replace("\n", "⏎") for sample in report["samples"]),
    ]
    return "\n".join(lines) + "\n"


def longest(rows: Sequence[EncodedRow]) -> int:
    """The longest row in tokens; 0 for none."""
    return max((len(row.input_ids) for row in rows), default=0)
