"""All files as they were taken in: every example has a number, those to learn from first."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, islice

from foundry.core.records import Example
from foundry.data.intake import Intake


@dataclass(frozen=True)
class Taken:
    """The files to learn from, and those of each named test part."""

    learned: tuple[Intake, ...]
    tests: Mapping[str, tuple[Intake, ...]]

    @cached_property
    def files(self) -> tuple[Intake, ...]:
        """Every file in the order in which examples are numbered."""
        return (*self.learned, *chain.from_iterable(self.tests.values()))

    @cached_property
    def begins(self) -> tuple[int, ...]:
        """The number of the first example of each file, and the count of all at the end."""
        return tuple(accumulate((len(intake.keys) for intake in self.files), initial=0))

    def place(self, number: int) -> tuple[str, int]:
        """File and line of an example."""
        intake, index = self._find(number)
        return intake.name, intake.keys.line[index]

    def example(self, number: int) -> Example:
        """One example, read from the start of its file on: for errors only."""
        intake, index = self._find(number)
        return next(islice(intake.read_examples(), index, None))

    def learned_examples(self) -> Iterator[Example]:
        """The examples to learn from in their order."""
        return chain.from_iterable(intake.read_examples() for intake in self.learned)

    def _find(self, number: int) -> tuple[Intake, int]:
        file = bisect_right(self.begins, number) - 1
        return self.files[file], number - self.begins[file]
