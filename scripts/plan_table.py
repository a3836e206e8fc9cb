"""How far the plan was off in a set of trainings: a table of them, and what it comes to.

Each training is foretold by a calibration from the others (leave one out), as the next training of
a machine is by those before it, and once more by the plan's own figures without any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from foundry.planning import learning
from foundry.planning.learning import Sample

COLUMNS = ("training", "seconds", "foretold", "peak MB", "foretold MB", "at most MB")
# Issue 5; the upper bound of memory must be above every peak.
MOST_OFF_IN_TIME, MOST_OFF_IN_MEMORY = 0.25, 0.15
FEWEST = 3  # with one left out, what is learned from must be more than one


@dataclass(frozen=True)
class Foretold:
    """A training: what it took, and what was foretold of it. Seconds and bytes.

    `most` is the upper bound of memory. `plain` are time and memory without a calibration.
    """

    name: str
    sample: Sample
    seconds: float
    peak_bytes: float
    most: float
    plain: tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Median relative errors of time and memory, and the least by which a bound was kept."""

    time: float
    memory: float
    plain_time: float
    plain_memory: float
    spare: float

    @property
    def is_met(self) -> bool:
        """Whether the plan is as good as it is asked to be."""
        return (
            self.time <= MOST_OFF_IN_TIME and self.memory <= MOST_OFF_IN_MEMORY and self.spare >= 0
        )


def foretell(found: Mapping[str, Sample]) -> list[Foretold]:
    """Each training, foretold without itself.

    Raises:
        ValueError: There are fewer than `FEWEST`.
    """
    if len(found) < FEWEST:
        raise ValueError(f"{len(found)} finished trainings; {FEWEST} are needed")
    own = learning.without_any()
    made = []
    for name, one in found.items():
        learned = learning.calibrate([other for key, other in found.items() if key != name])
        middle, most = (learning.expected_bytes(one, learned.memory, bound) for bound in (1, 2))
        plain = (
            learning.expected_seconds(one, own.time),
            learning.expected_bytes(one, own.memory, 1),
        )
        seconds = learning.expected_seconds(one, learned.time)
        made.append(Foretold(name, one, seconds, middle, most, plain))
    return made


def summarise(made: Sequence[Foretold]) -> Summary:
    """What the errors of all come to."""
    return Summary(
        time=median(abs(one.seconds / one.sample.seconds - 1) for one in made),
        memory=median(abs(one.peak_bytes / one.sample.peak_bytes - 1) for one in made),
        plain_time=median(abs(one.plain[0] / one.sample.seconds - 1) for one in made),
        plain_memory=median(abs(one.plain[1] / one.sample.peak_bytes - 1) for one in made),
        spare=min(one.most / one.sample.peak_bytes - 1 for one in made),
    )


def lines(made: Sequence[Foretold], failed: Sequence[str]) -> Iterator[str]:
    """The table in Markdown, and what it comes to.

    Args:
        made: The trainings.
        failed: Names of those that did not end.
    """
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|---|{'--:|' * (len(COLUMNS) - 1)}"
    for one in made:
        times = [f"{one.sample.seconds:.1f}", f"{one.seconds:.1f}"]
        sizes = [f"{n / 1e6:,.0f}" for n in (one.sample.peak_bytes, one.peak_bytes, one.most)]
        yield f"| {one.name} | {' | '.join([*times, *sizes])} |"
    found = summarise(made)
    yield ""
    yield (
        f"- median error of time {found.time:.0%} (at most {MOST_OFF_IN_TIME:.0%} is asked), "
        f"without calibration {found.plain_time:.0%}"
    )
    yield (
        f"- median error of memory {found.memory:.0%} (at most {MOST_OFF_IN_MEMORY:.0%}), "
        f"without calibration {found.plain_memory:.0%}"
    )
    kept = "above" if found.spare >= 0 else "BELOW"
    yield f"- upper bound of memory {kept} the peak by {abs(found.spare):.0%} in the worst training"
    if failed:
        yield f"- not ended, and not counted: {', '.join(failed)}"
