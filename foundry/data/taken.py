"""Take in all files of a recipe; every example gets a number, those to learn from first."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, count, islice
from pathlib import Path

from foundry.core.recipe import Data, Replay, Source, TestPart, ValidationFile
from foundry.core.records import Example, SkippedFile
from foundry.core.split import Split
from foundry.data.intake import Converter, Intake, take
from foundry.data.keys import Keys
from foundry.data.parts import VALIDATION
from foundry.data.places import Found, Place, expand, opened

Given = Source | TestPart | ValidationFile


@dataclass(frozen=True)
class Taken:
    """The files of each source, those of each named test part, and what was not read.

    Sources of `data.replay` stand behind the others; `replayed` is how many they are.
    """

    sources: tuple[tuple[Intake, ...], ...]
    tests: Mapping[str, tuple[Intake, ...]]
    skipped: tuple[SkippedFile, ...] = ()
    replayed: int = 0

    @property
    def own(self) -> tuple[Intake, ...]:
        """Every file to learn from that is not only replayed."""
        return tuple(chain.from_iterable(self.sources[: len(self.sources) - self.replayed]))

    @cached_property
    def learned(self) -> tuple[Intake, ...]:
        """Every file to learn from."""
        return tuple(chain.from_iterable(self.sources))

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


def take_all(data: Data, folder: Path, work: Path) -> Taken:
    """Read every file of a recipe to its end, each with a folder of its own below `work`.

    Raises:
        RecipeError, ResourceError: A path stands for nothing.
        DataError: A file cannot be read.
    """
    taker = _Taker(data, folder, work)
    by = data.split.group_by if data.split else None
    sources = [taker.take(source, by) for source in data.sources]
    again = taker.replay(data.replay, by) if data.replay else []
    tests = {test.name: taker.take(test, test.disjoint_by or by) for test in data.tests}
    validation = tuple(chain.from_iterable(taker.take(file, by) for file in data.validation))
    return Taken(
        sources=(*sources, *again),
        tests={**tests, **({VALIDATION: validation} if validation else {})},
        skipped=tuple(taker.skipped),
        replayed=len(again),
    )


@dataclass
class _Taker:
    """Takes in what one path of a recipe after the other stands for."""

    data: Data
    folder: Path
    work: Path
    skipped: list[SkippedFile] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def take(self, given: Given, group_by: str | None) -> tuple[Intake, ...]:
        """Every file that `given` stands for; a row's group is its value of `group_by`."""
        place = self._place(given)
        convert = Converter(self.data.format, group_by)
        return self._take_place(place, given, convert, self.data.split)

    def replay(self, replay: Replay, group_by: str | None) -> list[tuple[Intake, ...]]:
        """Every file of each source to replay, of which nothing is held out."""
        convert, made = Converter(replay.format, group_by), list[tuple[Intake, ...]]()
        for source in replay.sources:
            made.append(self._take_place(self._place(source), source, convert, None))
        return made

    def _take_place(
        self, place: Place, given: Given, convert: Converter, split: Split | None
    ) -> tuple[Intake, ...]:
        return tuple(
            self._take_file(file, given, convert, split)
            for found in place.files
            for file in self._opened(found, given)
        )

    def _place(self, given: Given) -> Place:
        place = expand(given.path, self.folder, given.read)
        self.skipped += place.skipped
        return place

    def _opened(self, found: Found, given: Given) -> tuple[Found, ...]:
        place = opened(found, self._folder(), given.read)
        self.skipped += place.skipped
        return place.files

    def _take_file(
        self, found: Found, given: Given, convert: Converter, split: Split | None
    ) -> Intake:
        shared = dict.fromkeys(test.disjoint_by for test in self.data.tests if test.disjoint_by)
        keys = Keys(split, tuple(shared))
        return take(found, given.read, convert, keys, self._folder())

    def _folder(self) -> Path:
        return self.work / str(next(self.numbers))
