"""Which of several known names a text names: labels of a classification, texts of options."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from foundry.evals.units import units

Spelt = Mapping[str, Sequence[tuple[tuple[str, ...], str]]]


@lru_cache(maxsize=8192)
def named_in(text: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that stand in `text` as a whole, each once, in the order of `names`.

    Names and text are compared unit by unit (`foundry.evals.units`), so that width, case, spaces,
    `_` and punctuation do not count: `card_arrival` is in `Card arrival.` but not in
    `discard_arrival`. A name inside a longer one is not named by it: where both are known,
    `相關` is not in `不相關`.
    """
    said, spelt = units(text), _spelt(names)
    spans = [
        (start, start + len(spelling), name)
        for start, unit in enumerate(said)
        for spelling, name in spelt.get(unit, ())
        if tuple(said[start : start + len(spelling)]) == spelling
    ]
    whole = {name for start, end, name in spans if not _inside_another(start, end, spans)}
    return tuple(name for name in names if name in whole)


def alike(names: Sequence[str]) -> list[str]:
    """The names that are written like one before them, or that have nothing to be read by."""
    seen: set[tuple[str, ...]] = set()
    found = []
    for name in names:
        spelling = tuple(units(name))
        if not spelling or spelling in seen:
            found.append(name)
        seen.add(spelling)
    return found


@lru_cache(maxsize=256)
def _spelt(names: tuple[str, ...]) -> Spelt:
    """Each name with its units, under the first of them."""
    found = defaultdict(list)
    for name in names:
        spelling = tuple(units(name))
        if spelling:
            found[spelling[0]].append((spelling, name))
    return found


def _inside_another(start: int, end: int, spans: Sequence[tuple[int, int, str]]) -> bool:
    return any(s <= start and end <= e and e - s > end - start for s, e, _name in spans)
