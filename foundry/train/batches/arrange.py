"""Which rows of an optimizer step go through the model together.

A step is always the same `global_batch_size` rows. How they are cut into micro-batches changes time
and memory, not the result: every sum is divided by the supervised tokens of the step (C13).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["packed", "padded", "single"]
# Of the positions of a padded micro-batch; more costs more than a larger matrix saves.
MOST_PADDING = 1 / 8


@dataclass(frozen=True)
class Arrangement:
    """How rows share a forward pass.

    `packed` lays them one after the other in one sequence, `padded` side by side, those of like
    length together, and `single` gives each its own. A pass holds at most `micro_batch_size` rows
    and `pack_tokens` positions; a longer row is alone. `by_row` says that attention is told where
    each row ends, which is found out before training and never chosen. `is_given` says that the
    loss lays rows out so itself, whatever the model could bear.
    """

    kind: Kind = "packed"
    micro_batch_size: int = 8
    pack_tokens: int = 512
    by_row: bool = False
    is_given: bool = False


def resolved_arrangement(resolved: Mapping[str, Any]) -> Arrangement:
    """The arrangement that a plan settled."""
    kind: Kind = "packed" if resolved["packing"] == "best-fit" else "padded"
    return Arrangement(kind, resolved["micro_batch_size"], resolved["pack_tokens"])


def arrange(lengths: Sequence[int], arrangement: Arrangement) -> list[list[int]]:
    """Group rows into micro-batches, the longest rows first.

    Args:
        lengths: Tokens per row, shape (N,), each at least 1.
        arrangement: What a group may hold.

    Returns:
        Indices of rows per micro-batch. Each index appears exactly once; equal lengths keep their
        order, so equal input gives equal output.
    """
    longest_first = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    if arrangement.kind == "packed":
        return _best_fit(longest_first, lengths, arrangement)
    if arrangement.kind == "padded":
        return _alike(longest_first, lengths, arrangement)
    return [[index] for index in longest_first]


def _best_fit(
    order: Sequence[int], lengths: Sequence[int], arrangement: Arrangement
) -> list[list[int]]:
    """Each row goes where it leaves the least room; a new bin where it fits in none.

    Best-fit decreasing needs at most 11/9 of the fewest bins and 4 more. Source: Johnson et al.
    (1974), "Worst-case performance bounds for simple one-dimensional packing algorithms".
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for index in order:
        fitting = [
            number
            for number, free in enumerate(room)
            if lengths[index] <= free and len(bins[number]) < arrangement.micro_batch_size
        ]
        if fitting:
            chosen = min(fitting, key=lambda number: room[number])
            bins[chosen].append(index)
            room[chosen] -= lengths[index]
        else:
            bins.append([index])
            room.append(arrangement.pack_tokens - lengths[index])
    return bins


def _alike(
    order: Sequence[int], lengths: Sequence[int], arrangement: Arrangement
) -> list[list[int]]:
    """Neighbours in length, as many as the limits and `MOST_PADDING` allow."""
    groups: list[list[int]] = []
    for index in order:
        if groups and _fits([*groups[-1], index], lengths, arrangement):
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _fits(group: Sequence[int], lengths: Sequence[int], arrangement: Arrangement) -> bool:
    positions = len(group) * max(lengths[index] for index in group)
    padding = positions - sum(lengths[index] for index in group)
    return (
        len(group) <= arrangement.micro_batch_size
        and positions <= arrangement.pack_tokens
        and padding <= MOST_PADDING * positions
    )
