"""How many rows a recipe trains on and how long they are, before anything is encoded."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from foundry.core import plugins
from foundry.core.load import LoadedRecipe
from foundry.core.recipe import Encode, Source
from foundry.core.records import EncodedRow, Example, Refusal
from foundry.data.glimpse import Glimpse, glimpse
from foundry.data.intake import LINE
from foundry.data.mixture import Drawn, drawn, is_mixed, is_replayed
from foundry.data.places import expand, opened
from foundry.data.reading import read
from foundry.data.rows import Blank
from foundry.encode.rows import encode_many
from foundry.encode.tokenize import Encoder
from foundry.planning.estimate.spread import Spread

MOST_LOOKED_AT = 200  # rows of each file whose tokens are counted
MOST_LAID_OUT = 10_000  # documents that are laid into sequences to see how many share one
# Tokens per character where the model's own tokenizer is not here. Of Gemma 3 (262,144 tokens) the
# shop's Chinese takes 0.80 and this README's English 0.40 with its Markdown; of SmolLM2 (49,152
# tokens, English) 2.10 and 0.52. Vocabularies of the catalogue's Chinese models lie between.
PER_CHINESE, PER_OTHER = (0.55, 0.8, 1.5), (0.22, 0.32, 0.52)
PER_TURN = 5  # what a chat template puts around a turn
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


@dataclass(frozen=True)
class Rows:
    """The rows of a training: how many, tokens and supervised tokens of one, and of the longest.

    A preference is a row of two sides, and its tokens are those of both. `origin` is `tokenizer`
    where they were counted with the model's own, else `characters`. `mixture` has the files and
    rows of each source where the recipe mixes them. `most` is how long a row may be that was not
    looked at, `places` how many places of a batch they take where that is known, `held` the rows
    that the loss is measured on, and `line_bytes` what an example takes in a part's file.
    """

    count: int
    tokens: Spread
    supervised: Spread
    longest: int
    origin: str
    mixture: tuple[Mapping[str, Any], ...] = ()
    most: int = 0
    places: int | None = None
    held: int = 0
    line_bytes: float = 0.0


@dataclass(frozen=True)
class _Length:
    """Tokens of a row by three ratios, the supervised among them, and those of a longer side."""

    tokens: tuple[float, float, float]
    supervised: tuple[float, float, float]
    side: float
    type: str

    def within(self, encode: Encode) -> "Iterator[_Length]":
        """What is trained of it; see `foundry.encode.overlong`."""
        policy, limit = encode.overlong, encode.max_seq_len
        is_text = self.type == "language-modeling"
        if self.side <= limit:
            yield self
        elif policy == "cut-prompt-left" and not is_text:
            yield self._cut(limit)
        elif policy == "split" and self.type in ("language-modeling", "conversation"):
            pieces = math.ceil(self.side / limit)
            learned = _times(self.supervised, 1 / pieces)
            yield from [
                _Length(_times(self.tokens, 1 / pieces), learned, limit, self.type)
            ] * pieces

    def _cut(self, limit: int) -> "_Length":
        """Of the prompt alone: every supervised token stays."""
        return _Length(_times(self.tokens, limit / self.side), self.supervised, limit, self.type)


@dataclass(frozen=True)
class _Seen:
    """A source: its rows, those that are learned, and how long and large the first of each are."""

    rows: int
    learned: float
    lengths: list[_Length]
    lines: list[int]
    is_whole: bool


def rows_of(loaded: LoadedRecipe, encoder: Encoder | None, work: Path) -> Rows:
    """Count the rows of a recipe's sources and look at the first of each file.

    Args:
        loaded: The recipe.
        encoder: Of the base model, where it is on this machine.
        work: An empty folder for what archives hold.

    Raises:
        DataError: A file cannot be read.
        ResourceError: A file is not there.
    """
    data, limit = loaded.recipe.data, loaded.recipe.encode.max_seq_len
    seen = [
        _look(loaded, key, source, encoder, work / str(number))
        for number, (key, source) in enumerate(data.learned)
    ]
    count, mixture = sum(one.learned for one in seen), list[Drawn]()
    every = list(chain.from_iterable(one.lengths for one in seen))
    if is_mixed(data):
        mixture = drawn(data, [max(1, round(one.learned)) for one in seen])
        count = sum(one.wanted for one in mixture)
        every = list(chain.from_iterable(map(_weighed, mixture, seen, repeat(count))))
    kept = [piece for one in every for piece in one.within(loaded.recipe.encode)] or every
    sides = max((math.ceil(one.tokens[1] / one.side) for one in every if one.side), default=1)
    share = len(kept) / len(every) if every else 1.0
    count, is_cut = max(1, round(count * share)), any(one.side >= limit for one in kept)
    longest = max((round(one.tokens[2]) for one in kept), default=limit)
    return Rows(
        count=count,
        tokens=_spread([one.tokens for one in kept]),
        supervised=_spread([one.supervised for one in kept]),
        longest=sides * limit if is_cut else min(sides * limit, longest),
        origin="characters" if encoder is None else "tokenizer",
        mixture=tuple(map(_told, mixture)),
        most=0 if all(one.is_whole for one in seen) else sides * limit,
        places=_places(loaded, count, kept),
        held=round(share * _held(loaded, seen, work)),
        line_bytes=mean([size for one in seen for size in one.lines] or [0]),
    )


def _told(one: Drawn) -> dict[str, Any]:
    path, rows = one.source.path, one.rows
    return {"path": path, "replay": one.is_replayed, "rows": rows, "drawn": one.wanted}


def _places(loaded: LoadedRecipe, count: int, kept: Sequence[_Length]) -> int | None:
    """How many places of a batch so many rows take: fewer, where some share one."""
    if not kept:
        return None
    limit, laid_out = loaded.recipe.encode.max_seq_len, min(count, MOST_LAID_OUT)
    lengths = [min(limit, max(1, round(one.tokens[1]))) for one in kept]
    trainer = plugins.load("trainer", loaded.recipe.train.kind)
    found = trainer.sequences([*islice(cycle(lengths), laid_out)], max_seq_len=limit)
    return max(1, round(count * len(found) / laid_out))


def _held(loaded: LoadedRecipe, seen: Sequence[_Seen], work: Path) -> float:
    """How many rows the loss is measured on."""
    data, folder = loaded.recipe.data, loaded.path.parent
    if data.split is not None and data.split.validation is not None:
        pairs = zip(data.learned, seen, strict=True)
        rows = sum(one.rows for (key, _source), one in pairs if not is_replayed(key))
        return rows * float(data.split.validation)
    held = 0
    for number, one in enumerate(data.validation):
        for part, place in enumerate(expand(one.path, folder, one.read).files):
            for file in opened(place, work / f"held-{number}" / str(part), one.read).files:
                held += sum(not isinstance(x, Blank) for x in read(file.path, one.read).items)
    return held


def _look(
    loaded: LoadedRecipe, key: str, source: Source, encoder: Encoder | None, work: Path
) -> _Seen:
    """How many rows of a source may be trained on, and how long the first of each file are."""
    data, count, lengths, lines = loaded.recipe.data, 0, list[_Length](), list[int]()
    is_whole = True
    format, held_out = data.format, data.split.held_out if data.split else 0.0
    if data.replay and is_replayed(key):
        format, held_out = data.replay.format, 0.0
    for number, place in enumerate(expand(source.path, loaded.path.parent, source.read).files):
        for file in opened(place, work / str(number), source.read).files:
            seen = glimpse(file, format, source.read, rows=MOST_LOOKED_AT)
            items = read(file.path, source.read).items
            in_file = sum(not isinstance(item, Blank) for item in items)
            count, is_whole = count + in_file, is_whole and in_file <= MOST_LOOKED_AT
            lengths += _lengths(seen, encoder)
            lines += [len(LINE.encode(one.as_dict()).encode()) for one in seen.examples]
    return _Seen(count, count * (1 - held_out), lengths, lines, is_whole)


def _weighed(one: Drawn, seen: _Seen, total: int) -> Iterator[_Length]:
    """The lengths of a source as often as its share of all rows says."""
    return islice(cycle(seen.lengths), max(1, round(MOST_LOOKED_AT * one.wanted / total)))


def _lengths(seen: Glimpse, encoder: Encoder | None) -> list[_Length]:
    if encoder is None:
        return [_by_characters(example) for example in seen.examples]
    outcomes = encode_many(seen.examples, encoder)
    made = [one for one in outcomes if not isinstance(one, Refusal)]
    pairs = [(row, one.example.type) for one in made for row in one.rows]
    return [_counted(row, type_) for row, type_ in pairs if row.input_ids]


def _counted(row: EncodedRow, type_: str) -> _Length:
    sides = len(row.input_ids), len(row.rejected_input_ids)
    learned = sum(label >= 0 for label in (*row.labels, *row.rejected_labels))
    return _Length((sum(sides),) * 3, (learned,) * 3, max(sides), type_)


def _by_characters(example: Example) -> _Length:
    turns = [(turn.role, turn.content or "") for turn in example.messages]
    if example.rejected is not None:  # the prompt stands before it once more
        turns += [*turns[:-1], (example.rejected.role, example.rejected.content or "")]
    whole = [text for _role, text in turns] or [example.text or ""]
    learned = [text for role, text in turns if role == "assistant"] or whole[-1:]
    around = PER_TURN * len(whole)
    tokens = _tokens("".join(whole))
    supervised = _tokens("".join(learned))
    return _Length(
        (tokens[0] + around, tokens[1] + around, tokens[2] + around),
        (supervised[0] + 1, supervised[1] + 1, supervised[2] + 1),
        (tokens[1] + around) / (1 if example.rejected is None else 2),
        example.type,
    )


def _times(values: tuple[float, float, float], share: float) -> tuple[float, float, float]:
    return values[0] * share, values[1] * share, values[2] * share


def _tokens(text: str) -> tuple[float, float, float]:
    chinese = len(CHINESE.findall(text))
    other = len(text) - chinese
    low, expected, high = (
        per_chinese * chinese + per_other * other
        for per_chinese, per_other in zip(PER_CHINESE, PER_OTHER, strict=True)
    )
    return low, expected, high


def _spread(values: Sequence[tuple[float, float, float]]) -> Spread:
    """Means, and two standard errors around them."""
    if not values:
        return Spread(1, 1, 1)
    lows, middles, highs = zip(*values, strict=True)
    error = 2 * stdev(middles) / len(middles) ** 0.5 if len(middles) > 1 else 0.0
    least = max(1.0, mean(lows) - error)
    return Spread(least, max(1.0, mean(middles)), max(1.0, mean(highs) + error))
