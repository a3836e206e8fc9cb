"""A value that is not known exactly: the least, what is expected, the most."""

from collections.abc import Iterable
from dataclasses import dataclass

from foundry.core.records import Record


@dataclass(frozen=True)
class Spread(Record):
    """Three numbers of one unit, in order."""

    low: float
    expected: float
    high: float

    def times(self, low: float, expected: float, high: float) -> "Spread":
        """Multiplied, bound by bound."""
        return Spread(self.low * low, self.expected * expected, self.high * high)

    def plus(self, other: "Spread") -> "Spread":
        """Added, bound by bound."""
        return Spread(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def over(self, other: "Spread") -> "Spread":
        """Divided; the bounds of the divisor count the other way round."""
        return Spread(self.low / other.high, self.expected / other.expected, self.high / other.low)


def exactly(value: float) -> Spread:
    """A value without doubt."""
    return Spread(value, value, value)


def total(values: Iterable[Spread]) -> Spread:
    """The sum of all."""
    made = exactly(0.0)
    for value in values:
        made = made.plus(value)
    return made
