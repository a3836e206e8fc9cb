"""How often each row is trained on in an epoch: sources by weight, and a share of replayed rows.

All is decided on counts and on the keys of the examples, after test parts and repeats are taken
out, so that the same files and seeds give the same rows whoever trains on them: every arm and
every training seed of a study. Weights are kept to the row: a source is used as often as its share
says, each of its rows as often as the next or once more. Which rows are used once more, or left
out, is drawn by a hash of what the row says and the seed, so that it depends neither on the order
of the files nor on rows that are added.

An epoch is drawn once; further epochs are of the same rows in another order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor
from typing import TYPE_CHECKING, Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.mixing import Mix
from foundry.core.recipe import Data, Source
from foundry.data.parts import REMOVED, Division, other_answers
from foundry.data.taken import Taken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Drawn:
    """What an epoch takes of one source.

    `rows` are those there are, `wanted` how often one of them is trained on, all together.
    """

    key: str
    source: Source
    rows: int
    wanted: int
    seed: int

    @property
    def is_replayed(self) -> bool:
        """Whether the source is one of `data.replay`."""
        return is_replayed(self.key)


def is_replayed(key: str) -> bool:
    """Whether the path of a recipe's key leads into `data.replay`."""
    return key.startswith("data.replay.")


def is_mixed(data: Data) -> bool:
    """Whether a recipe asks for anything but each row once."""
    return bool(data.mix or data.replay or data.sources[0].weight is not None)


def drawn(data: Data, rows: Sequence[int]) -> list[Drawn]:
    """What an epoch takes of each source.

    Args:
        data: The recipe's `data` block.
        rows: How many rows may be trained on of each of `data.learned`, in order.

    Raises:
        DataError: A source has no rows, or a share is too small for one of them.
    """
    own, mix = len(data.sources), data.mix or Mix()
    wanted = counts(rows[:own], _weights(data.sources), mix)
    seeds = [mix.seed] * own
    if data.replay is not None:
        again = replayed(sum(wanted), data.replay.share)
        how = Mix(rows=max(1, again))
        wanted += counts(rows[own:], _weights(data.replay.sources), how)
        seeds += [data.replay.seed] * len(data.replay.sources)
    made = [
        Drawn(key, source, there, often, seed)
        for (key, source), there, often, seed in zip(data.learned, rows, wanted, seeds, strict=True)
    ]
    problems = [_nothing(one) for one in made if not one.wanted and _must_give(one, data)]
    if problems:
        raise DataError(problems)
    return made


def replayed(rows: int, share: float) -> int:
    """How many rows to add to `rows` so that they are `share` of all."""
    part = Fraction(share)
    return round(part / (1 - part) * rows)


def counts(rows: Sequence[int], weights: Sequence[float] | None, mix: Mix) -> list[int]:
    """How often rows of each source are trained on in an epoch; 0 for a source without rows.

    A source of n rows has a share of its weight, or of n^(1/temperature), of all sources'.
    `all`: the fewest rows with which no source is used less often than it has rows; `once`: the
    most with which none is used more often; a number is divided by largest remainder.

    Source: Raffel et al. (2020), "Exploring the Limits of Transfer Learning", section 3.5.2,
    arXiv 1910.10683 (temperature-scaled mixing).
    """
    there = [n for n in rows if n]
    if not there:
        return [0] * len(rows)
    if weights is None:
        heat = float(mix.temperature or 1)
        parts = [Fraction(n) if heat == 1 else Fraction(n ** (1 / heat)) for n in rows]
    else:
        parts = [Fraction(w) if n else Fraction(0) for w, n in zip(weights, rows, strict=True)]
    shares = [part / sum(parts) for part in parts]
    if isinstance(mix.rows, int):
        return _divided(mix.rows, shares)
    sizes = [n / share for n, share in zip(rows, shares, strict=True) if share]
    if mix.rows == "all":
        return [round(max(sizes) * share) for share in shares]
    return [floor(min(sizes) * share) for share in shares]


def mixed(data: Data, taken: Taken, division: Division) -> tuple[Division, list[Drawn]]:
    """The division with how often each example is trained on; those left out are removed.

    Raises:
        DataError: A source has no rows, or a share is too small for one of them.
    """
    import numpy as np

    if not is_mixed(data):
        return division, []
    ends = accumulate((len(files) for files in taken.sources), initial=0)
    begins = [taken.begins[file] for file in ends]
    spans = [np.arange(begin, end) for begin, end in pairwise(begins)]
    pools = [span[division.part[span] == 0] for span in spans]
    made = drawn(data, [len(pool) for pool in pools])
    low = np.concatenate([np.asarray(intake.keys.whole_low) for intake in taken.files])
    part, times = division.part.copy(), np.ones(len(division.part), np.int64)
    for pool, one in zip(pools, made, strict=True):
        each, more = divmod(one.wanted, len(pool))
        times[pool] = each
        times[pool[_order(low[pool], one.seed)[:more]]] += 1
    part[times == 0] = REMOVED
    prompts = np.concatenate([np.asarray(intake.keys.prompt) for intake in taken.files])
    answers = other_answers(division.names, part, prompts)
    return replace(division, part=part, times=times, other_answers=answers), made


def as_recorded(made: Sequence[Drawn], taken: Taken) -> dict[str, Any]:
    """What the manifest says of a mixture; empty where there is none.

    Of each source: its files, the rows there are and how many of them are used, how often they
    are trained on in an epoch, and their share of it.
    """
    if not made:
        return {}
    total = sum(one.wanted for one in made)
    return {
        "rows": total,
        "repeated": sum(max(0, one.wanted - one.rows) for one in made),
        "sources": [
            {
                "files": [intake.name for intake in files],
                "replay": one.is_replayed,
                "weight": one.source.weight,
                "rows": one.rows,
                "used": min(one.rows, one.wanted),
                "drawn": one.wanted,
                "share": one.wanted / total,
            }
            for one, files in zip(made, taken.sources, strict=True)
        ],
    }


def replayed_files(manifest: Mapping[str, Any]) -> set[str]:
    """The names of the files that are only replayed."""
    sources = manifest.get("mixture", {}).get("sources", ())
    return {name for source in sources if source["replay"] for name in source["files"]}


def _must_give(one: Drawn, data: Data) -> bool:
    """Whether an epoch without rows of this source is not what the recipe asks for."""
    is_only = one.is_replayed and data.replay is not None and len(data.replay.sources) == 1
    return bool(one.rows) or one.source.weight is not None or is_only


def _weights(sources: Sequence[Source]) -> list[float] | None:
    weights = [source.weight for source in sources if source.weight is not None]
    return weights or None


def _divided(total: int, shares: Sequence[Fraction]) -> list[int]:
    """`total` by share, the rows that remain to the largest remainders."""
    made = [floor(total * share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda n: made[n] - total * shares[n])
    for n in by_rest[: total - sum(made)]:
        made[n] += 1
    return made


def _order(keys: "NDArray[np.uint64]", seed: int) -> "NDArray[np.int64]":
    """The order in which rows are drawn: by a hash of what they say, another for each seed.

    Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators"
    (the finalizer of SplitMix64).
    """
    import numpy as np

    start = np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = keys + start  # wraps around, as is meant
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


def _nothing(one: Drawn) -> Problem:
    if not one.rows:
        what = _("no rows of {path} are left to mix: they repeat others or belong to a test part")
        fix = _("take the source out, or give it rows of its own")
    else:
        what = _("{path} has too small a share of the rows for even one of its own")
        fix = _("raise its `weight` or the number of rows")
    return Problem(one.key, what.format(path=one.source.path), fix)
