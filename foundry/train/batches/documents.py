"""Documents -> sequences of a fixed length for continued pre-training, boundaries kept.

A sequence is what one place in a batch holds: several documents, none of which sees another. That
they share a sequence decides which documents make an optimizer step, so it must not depend on the
machine; how a step is cut into forward passes is another question (`batches/arrange.py`).
"""

from bisect import bisect_left, insort
from collections.abc import Sequence


def best_fit(lengths: Sequence[int], *, max_seq_len: int) -> list[list[int]]:
    """Group documents into sequences of at most `max_seq_len` tokens, longest first.

    Each document goes into the sequence that it leaves the least room in. Uses at most 11/9 of the
    fewest sequences and 4 more. Source: Johnson et al. (1974), "Worst-case performance bounds for
    simple one-dimensional packing algorithms"; for language models Ding et al. (2024), "Fewer
    Truncations Improve Language Modeling", https://arxiv.org/abs/2404.10830.

    Args:
        lengths: Tokens per document, shape (N,), each in 1..max_seq_len.
        max_seq_len: Tokens that a sequence may hold.

    Returns:
        Indices of documents per sequence; each index appears exactly once.
    """
    sequences: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # free tokens and number of a sequence, least room first
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        place = bisect_left(rooms, (lengths[index], -1))
        if place < len(rooms):
            free, number = rooms.pop(place)
            sequences[number].append(index)
        else:
            free, number = max_seq_len, len(sequences)
            sequences.append([index])
        if free > lengths[index]:
            insort(rooms, (free - lengths[index], number))
    return sequences
