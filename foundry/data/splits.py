"""Hold rows out for testing by group, so that no row ever changes sides (cases.md C27).

The side of a group depends on the seed and the group's value alone: a hash below the wanted share
is on the test side. Adding rows leaves every earlier row where it was, and the order of the rows
does not matter. The price: the share is met on average, not exactly. Rows without a group go by
their prompt, so that two answers to one question stay together.

Examples that say the same are removed before (`parts.divide`), which is why groups need not be
joined here; joining would move old rows when a new row links two groups.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.recipe import Split
from foundry.core.records import Example
from foundry.data.duplicates import normalise

SEEDS_TRIED = 100


def is_test(key: str, *, test: float, seed: int) -> bool:
    """Whether the group `key` is held out."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < test


def group_key(example: Example, prompt: str) -> str:
    """What decides the side of an example; `prompt` is the key of its prompt."""
    has_group = example.group != example.id
    return f"group {normalise(example.group)}" if has_group else f"prompt {prompt}"


def one_sided(rows: Counter[str], split: Split) -> Problem:
    """What is wrong with a split that leaves a side empty, and a seed that fills both if any does.

    Args:
        rows: How many examples each group has; every one of them is on the same side.
        split: The split.
    """
    total = rows.total()
    held_out = _share(rows, split.test, split.seed) > 0
    what = _("the split leaves `{side}` without rows ({rows} rows in {groups} groups)")
    what = what.format(side="train" if held_out else "test", rows=total, groups=len(rows))
    best = seed_for(rows, split)
    if best is None:
        fix = _("give `group_by` a column with more values, or `tests` a file of its own")
        return Problem("data.split", what, fix)
    fix = _("set `data.split.seed: {seed}`, which holds out {share} of the rows")
    share = f"{_share(rows, split.test, best):.0%}"
    return Problem("data.split", what, fix.format(seed=best, share=share))


def seed_for(rows: Mapping[str, int], split: Split) -> int | None:
    """The split's own seed if it leaves rows on both sides, else the one nearest to its share.

    Args:
        rows: How many examples each group has.
        split: The split.
    """
    if 0 < _share(rows, split.test, split.seed) < 1:
        return split.seed
    seeds = {seed: _share(rows, split.test, seed) for seed in range(SEEDS_TRIED)}
    filled = {seed: share for seed, share in seeds.items() if 0 < share < 1}
    return min(filled, key=lambda seed: abs(filled[seed] - split.test), default=None)


def _share(rows: Mapping[str, int], test: float, seed: int) -> float:
    """The share of the examples that `seed` holds out."""
    held_out = sum(n for key, n in rows.items() if is_test(key, test=test, seed=seed))
    return held_out / sum(rows.values())
