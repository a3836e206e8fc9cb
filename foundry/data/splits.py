"""Hold rows out for testing by group, so that no row ever changes sides (cases.md C27).

The side of a group depends on the seed and the group's value alone: a hash below the wanted share
is on the test side. Adding rows leaves every earlier row where it was, and the order of the rows
does not matter. The price: the share is met on average, not exactly. Rows without a group go by
their prompt, so that two answers to one question stay together.

Examples that say the same are removed before (`duplicates.first_of_each`), which is why groups
need not be joined here; joining would move old rows when a new row links two groups.
"""

import hashlib
from collections.abc import Sequence

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.data.duplicates import normalise, prompt_key

SEEDS_TRIED = 100


def split(
    examples: Sequence[Example], *, test: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Divide into (train, test); `test` is the share wanted for testing, between 0 and 1.

    Raises:
        DataError: A side is empty; names a seed that fills both, if one of the first 100 does.
    """
    keys = [_group_key(example) for example in examples]
    sides = [is_test(key, test=test, seed=seed) for key in keys]
    if len(set(sides)) < 2:
        raise DataError(_one_sided(keys, test, sides))
    train = [example for example, held_out in zip(examples, sides, strict=True) if not held_out]
    return train, [example for example, held_out in zip(examples, sides, strict=True) if held_out]


def is_test(key: str, *, test: float, seed: int) -> bool:
    """Whether the group `key` is held out."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < test


def _group_key(example: Example) -> str:
    has_group = example.group != example.id
    return f"group {normalise(example.group)}" if has_group else f"prompt {prompt_key(example)}"


def _one_sided(keys: Sequence[str], test: float, sides: Sequence[bool]) -> Problem:
    empty = "train" if any(sides) else "test"
    what = _("the split leaves `{side}` without rows ({rows} rows in {groups} groups)")
    what = what.format(side=empty, rows=len(keys), groups=len(set(keys)))
    seeds = {seed: _share(keys, test, seed) for seed in range(SEEDS_TRIED)}
    filled = {seed: share for seed, share in seeds.items() if 0 < share < 1}
    if not filled:
        fix = _("give `group_by` a column with more values, or `tests` a file of its own")
        return Problem("data.split", what, fix)
    best = min(filled, key=lambda seed: abs(filled[seed] - test))
    fix = _("set `data.split.seed: {seed}`, which holds out {share} of the rows")
    return Problem("data.split", what, fix.format(seed=best, share=f"{filled[best]:.0%}"))


def _share(keys: Sequence[str], test: float, seed: int) -> float:
    return sum(is_test(key, test=test, seed=seed) for key in keys) / len(keys)
