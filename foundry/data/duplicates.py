"""Which examples say the same, and which ask the same and answer otherwise (cases.md C27)."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from foundry.core.atomic import fingerprint
from foundry.core.records import Example, Turn


def normalise(text: str) -> str:
    """The form in which texts are compared: NFKC, no capitals, each stretch of space one blank.

    Only for keys; the text that is stored and trained stays as written.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def whole_key(example: Example) -> str:
    """Equal for examples from which the same is learned."""
    rejected = _said(example.rejected) if example.rejected else None
    beside = [example.tools, rejected, example.label, normalise(example.text)]
    return fingerprint([*map(_said, example.messages), *beside])


def prompt_key(example: Example) -> str:
    """Equal for examples with the same prompt, whatever the answer; a text is its own prompt."""
    return fingerprint([*map(_said, example.prompt), normalise(example.text)])


def first_of_each(
    examples: Iterable[Example],
) -> tuple[list[Example], list[tuple[Example, Example]]]:
    """The first of each set of equal examples, and every later one with the one it repeats."""
    first: dict[str, Example] = {}
    repeats = []
    for example in examples:
        earlier = first.setdefault(whole_key(example), example)
        if earlier is not example:
            repeats.append((example, earlier))
    return list(first.values()), repeats


def other_answers(examples: Sequence[Example], beside: Sequence[Example]) -> int:
    """How many of `examples` have a prompt that occurs in `beside` with another answer."""
    answers: dict[str, set[str]] = defaultdict(set)
    for example in beside:
        answers[prompt_key(example)].add(whole_key(example))
    return sum(bool(answers[prompt_key(e)] - {whole_key(e)}) for e in examples)


def _said(turn: Turn) -> dict[str, Any]:
    """The turn with its text in the form in which texts are compared."""
    return {**turn.as_dict(), "content": normalise(turn.content)}
