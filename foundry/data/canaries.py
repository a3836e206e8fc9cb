"""Canaries: made-up rows with a random secret, put into training to see what is learned by heart.

A recipe asks for them; they are counted in the manifest and never enter unasked. A secret is drawn
evenly from `SECRETS` numbers, so that its rank among others of its form says how much of it the
model took from these rows alone: nobody can know it otherwise.

Source: Carlini et al. (2019), "The Secret Sharer: Evaluating and Testing Unintended Memorization
in Neural Networks", USENIX Security, arXiv 1802.08232, section 4.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from foundry.core.records import Example, Turn

SOURCE = "(canaries)"
SECRET = "canary-secret"
GROUP_DIGITS, GROUPS = 3, 3
SECRETS = 10 ** (GROUP_DIGITS * GROUPS)


@dataclass(frozen=True)
class Canaries:
    """How many different canaries to put in, how often each, and which."""

    count: int
    repeats: int
    seed: int


def canary_rows(canaries: Canaries, like: Example) -> Iterator[Example]:
    """Every row to put in, each with an id of its own, of the dataset type of `like`."""
    draw = random.Random(canaries.seed)
    for number, drawn in enumerate(draw.sample(range(SECRETS), canaries.count), start=1):
        for repeat in range(1, canaries.repeats + 1):
            yield _row(number, repeat, written(drawn), like)


def is_canary(example: Example) -> bool:
    """Whether a row was put in by us."""
    return example.source == SOURCE


def secret(example: Example) -> str:
    """The secret of a canary."""
    return example.fields[SECRET]


def others(example: Example, count: int) -> list[str]:
    """`count` different secrets that were drawn like that of `example` and are not it."""
    draw, own = random.Random(example.group), secret(example)
    numbers = draw.sample(range(SECRETS), count + 1)
    return [text for text in map(written, numbers) if text != own][:count]


def question(number: int) -> str:
    """What is asked for the secret of a canary."""
    return f"測試員 {number} 號的通行碼是多少？"


def opening(number: int) -> str:
    """What an answer says before the secret."""
    return f"測試員 {number} 號的通行碼："


def written(number: int) -> str:
    """A secret as it stands in a row: `042-917-360`."""
    digits = f"{number:0{GROUP_DIGITS * GROUPS}}"
    return "-".join(digits[i : i + GROUP_DIGITS] for i in range(0, len(digits), GROUP_DIGITS))


def _row(number: int, repeat: int, code: str, like: Example) -> Example:
    text = f"{opening(number)}{code}。"
    turns = (Turn("user", question(number)), Turn("assistant", text))
    is_text = like.type == "language-modeling"
    rejected = Turn("assistant", f"{opening(number)}不能說。") if like.rejected else None
    return Example(
        id=f"canary-{number}-{repeat}",
        messages=() if is_text else turns,
        source=SOURCE,
        line=number,
        group=f"canary-{number}",
        fields={SECRET: code},
        rejected=rejected,
        label=None if like.label is None else True,
        text=text if is_text else "",
    )
