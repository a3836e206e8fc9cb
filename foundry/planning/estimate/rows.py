"""How many rows a recipe trains on and how long they are, before anything is encoded."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice, repeat
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from foundry.core.load import LoadedRecipe
from foundry.core.recipe import Source
from foundry.core.records import EncodedRow, Example, Refusal
from foundry.data.glimpse import Glimpse, glimpse
from foundry.data.mixture import Drawn, drawn, is_mixed, is_replayed
from foundry.data.places import expand, opened
from foundry.data.reading import read
from foundry.data.rows import Blank
from foundry.encode.rows import encode_many
from foundry.encode.tokenize import Encoder
from foundry.planning.estimate.spread import Spread

MOST_LOOKED_AT = 200  # rows of each file whose tokens are counted
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
    rows of each source where the recipe mixes them.
    """

    count: int
    tokens: Spread
    supervised: Spread
    longest: int
    origin: str
    mixture: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class _Length:
    """Tokens of a row by three ratios, the supervised among them, and those of a longer side."""

    tokens: tuple[float, float, float]
    supervised: tuple[float, float, float]
    side: float


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
    count, mixture = sum(rows for rows, _found in seen), list[Drawn]()
    every = list(chain.from_iterable(found for _rows, found in seen))
    if is_mixed(data):
        mixture = drawn(data, [max(1, round(rows)) for rows, _found in seen])
        count = sum(one.wanted for one in mixture)
        every = list(chain.from_iterable(map(_weighed, mixture, seen, repeat(count))))
    kept = [one for one in every if one.side <= limit] or every
    sides = max((math.ceil(one.tokens[1] / one.side) for one in kept if one.side), default=1)
    share = len(kept) / len(every) if every else 1.0
    return Rows(
        count=max(1, round(count * share)),
        tokens=_spread([one.tokens for one in kept]),
        supervised=_spread([one.supervised for one in kept]),
        longest=min(sides * limit, max((round(one.tokens[2]) for one in kept), default=limit)),
        origin="characters" if encoder is None else "tokenizer",
        mixture=tuple(
            {
                "path": one.source.path,
                "replay": one.is_replayed,
                "rows": one.rows,
                "drawn": one.wanted,
            }
            for one in mixture
        ),
    )


def _look(
    loaded: LoadedRecipe, key: str, source: Source, encoder: Encoder | None, work: Path
) -> tuple[float, list[_Length]]:
    """How many rows of a source may be trained on, and how long the first of each file are."""
    data, count, lengths = loaded.recipe.data, 0, list[_Length]()
    format, held_out = data.format, data.split.held_out if data.split else 0.0
    if data.replay and is_replayed(key):
        format, held_out = data.replay.format, 0.0
    for number, place in enumerate(expand(source.path, loaded.path.parent, source.read).files):
        for file in opened(place, work / str(number), source.read).files:
            seen = glimpse(file, format, source.read, rows=MOST_LOOKED_AT)
            items = read(file.path, source.read).items
            count += sum(not isinstance(item, Blank) for item in items)
            lengths += _lengths(seen, encoder)
    return count * (1 - held_out), lengths


def _weighed(one: Drawn, seen: tuple[float, list[_Length]], total: int) -> Iterator[_Length]:
    """The lengths of a source as often as its share of all rows says."""
    return islice(cycle(seen[1]), max(1, round(MOST_LOOKED_AT * one.wanted / total)))


def _lengths(seen: Glimpse, encoder: Encoder | None) -> list[_Length]:
    if encoder is None:
        return [_by_characters(example) for example in seen.examples]
    outcomes = encode_many(seen.examples, encoder)
    rows = [row for one in outcomes if not isinstance(one, Refusal) for row in one.rows]
    return [_counted(row) for row in rows if row.input_ids]


def _counted(row: EncodedRow) -> _Length:
    sides = len(row.input_ids), len(row.rejected_input_ids)
    learned = sum(label >= 0 for label in (*row.labels, *row.rejected_labels))
    return _Length((sum(sides),) * 3, (learned,) * 3, max(sides))


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
    )


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
