"""Hold rows out by group, so that no row ever changes sides (cases.md C27).

The side of a group depends on the seed and the group's value alone: a hash below the share for
testing is on the test side, one below that and the share for validation together on that side, so
that validation rows are taken from those to learn from and never from those to test with. Adding
rows leaves every earlier row where it was, and the order of the rows does not matter. The price:
the share is met on average, not exactly. Rows without a group go by their prompt, so that two
answers to one question stay together.

Examples that say the same are removed before (`parts.divide`), which is why groups need not be
joined here; joining would move old rows when a new row links two groups.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.core.split import Split
from foundry.data.duplicates import normalise

SEEDS_TRIED = 100
# Sides of a split, as `Keys` has them.
LEARNED, TESTED, VALIDATED = 0, 1, 2
SIDES = {LEARNED: "train", TESTED: "test", VALIDATED: "validation"}


def side_of(key: str, split: Split, seed: int | None = None) -> int:
    """The side on which the group `key` is, by the split's own seed or another."""
    digest = hashlib.sha256(f"{split.seed if seed is None else seed}:{key}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < float(split.test or 0):
        return TESTED
    return VALIDATED if place < split.held_out else LEARNED


def sides(split: Split) -> tuple[int, ...]:
    """The sides that a split must have rows on."""
    wanted = {TESTED: split.test, VALIDATED: split.validation}
    return (LEARNED, *(side for side, share in wanted.items() if share is not None))


def group_key(example: Example, prompt: str) -> str:
    """What decides the side of an example; `prompt` is the key of its prompt."""
    has_group = example.group != example.id
    return f"group {normalise(example.group)}" if has_group else f"prompt {prompt}"


def one_sided(rows: Counter[str], split: Split) -> Problem:
    """What is wrong with a split that leaves a side empty, and a seed that fills all if any does.

    Args:
        rows: How many examples each group has; every one of them is on the same side.
        split: The split.
    """
    total = rows.total()
    shares = _shares(rows, split, split.seed)
    empty = next(side for side in sides(split) if not shares[side])
    what = _("the split leaves `{side}` without rows ({rows} rows in {groups} groups)")
    what = what.format(side=SIDES[empty], rows=total, groups=len(rows))
    best = seed_for(rows, split)
    if best is None:
        fix = _("give `group_by` a column with more values, or `tests` a file of its own")
        return Problem("data.split", what, fix)
    fix = _("set `data.split.seed: {seed}`, which holds out {share} of the rows")
    share = f"{1 - _shares(rows, split, best)[LEARNED]:.0%}"
    return Problem("data.split", what, fix.format(seed=best, share=share))


def seed_for(rows: Mapping[str, int], split: Split) -> int | None:
    """The split's own seed if it leaves rows on all sides, else the one nearest to its shares.

    Args:
        rows: How many examples each group has.
        split: The split.
    """
    if _is_filled(_shares(rows, split, split.seed), split):
        return split.seed
    tried = {seed: _shares(rows, split, seed) for seed in range(SEEDS_TRIED)}
    filled = {seed: shares for seed, shares in tried.items() if _is_filled(shares, split)}
    return min(filled, key=lambda seed: _distance(filled[seed], split), default=None)


def _is_filled(shares: Mapping[int, float], split: Split) -> bool:
    return all(shares[side] for side in sides(split))


def _distance(shares: Mapping[int, float], split: Split) -> float:
    wanted = {TESTED: split.test, VALIDATED: split.validation}
    return sum(abs(shares[side] - float(share or 0)) for side, share in wanted.items())


def _shares(rows: Mapping[str, int], split: Split, seed: int) -> dict[int, float]:
    """The share of the examples that `seed` puts on each side."""
    counts = dict.fromkeys(SIDES, 0)
    for key, count in rows.items():
        counts[side_of(key, split, seed)] += count
    total = sum(rows.values())
    return {side: count / total for side, count in counts.items()}
