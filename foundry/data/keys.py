"""What memory keeps of each example while files of any length are read: about 40 bytes.

Whether two examples say the same is decided by 128 bits of a hash: among ten million examples two
different ones share them once in 10^24 data sets. What is only counted or compared with few values
has 64 bits.
"""

import hashlib
from array import array
from dataclasses import dataclass, field

from foundry.core.records import Example
from foundry.core.split import Split
from foundry.data.duplicates import normalise, text_keys
from foundry.data.splits import LEARNED, group_key, side_of

WORD, BYTE = "Q", "B"  # array's names for 64 and for 8 bits without a sign


def _words() -> "array[int]":
    return array(WORD)


@dataclass(frozen=True)
class Keys:
    """The examples of one file by column, in their order."""

    split: Split | None = None
    """Decides which examples are held out."""
    columns: tuple[str, ...] = ()
    """Of which values are kept."""
    whole_high: "array[int]" = field(default_factory=_words)
    whole_low: "array[int]" = field(default_factory=_words)
    prompt: "array[int]" = field(default_factory=_words)
    group: "array[int]" = field(default_factory=_words)
    line: "array[int]" = field(default_factory=_words)
    side: "array[int]" = field(default_factory=lambda: array(BYTE))
    """Where the split puts the example, as `splits.SIDES` has it."""
    values: "dict[str, array[int]]" = field(default_factory=dict)
    """By column: a hash of the value, 0 where it is blank."""

    def __post_init__(self) -> None:
        self.values.update({column: _words() for column in self.columns})

    def __len__(self) -> int:
        return len(self.line)

    def add(self, example: Example) -> None:
        """Append an example."""
        whole, prompt = text_keys(example)
        self.whole_high.append(int(whole[:16], 16))
        self.whole_low.append(int(whole[16:32], 16))
        self.prompt.append(int(prompt[:16], 16))
        self.group.append(_hash(example.group))
        self.line.append(example.line)
        split = self.split
        self.side.append(LEARNED if split is None else side_of(group_key(example, prompt), split))
        for column, values in self.values.items():
            value = normalise(example.fields.get(column, ""))
            values.append(_hash(value) if value else 0)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
