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
    turns = [_said(turn) for turn in example.messages]
    return fingerprint([*turns, *beside] if any(beside) or example.label is False else turns)


def prompt_key(example: Example) -> str:
    """Equal for examples with the same prompt, whatever the answer; a text is its own prompt.

    A split goes by this key: another key for the same conversation would move its row to the
    other side.
    """
    turns = [_said(turn) for turn in example.prompt]
    return fingerprint([*turns, normalise(example.text)] if example.text else turns)


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


def _said(turn: Turn) -> list[Any]:
    """What a turn says, its text in the form in which texts are compared."""
    more = {k: v for k, v in turn.as_dict().items() if k not in ("role", "content")}
    return [turn.role, normalise(turn.content), *([more] if more else [])]
