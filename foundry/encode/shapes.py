"""Conversations of one shape are masked by what is known of the shape.

What a template writes around the contents depends on the roles, not on the words. So the full
check of `encode.mask` is made once for a shape, on a conversation of placeholders. Where the
template is shown not to look into the words (`encode.blind`), that is the rendering of every
conversation of the shape, and only one of a batch is still rendered, to be held against it.

Where the template looks (those that search for `</think>`), a conversation is rendered whole, with
the prompt of its last answer, and must be exactly what the placeholders' rendering says; if it is
not, it gets the full check itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from foundry.core.records import Turn
from foundry.encode.mask import Masked, Span
from foundry.encode.render import View
from foundry.encode.render_child import MAX_RENDERED_CHARS

Shape = tuple[tuple[str, bool], ...]

FIRST, LAST = 0xF0000, 0xFFFFD  # a private-use plane of Unicode: no template knows of it
PLACEHOLDER = re.compile(f"[{chr(FIRST)}-{chr(LAST)}]")


def shape_of(turns: Sequence[Turn]) -> Shape | None:
    """The roles, and which contents are blank; None for a conversation that is more than texts."""
    if len(turns) > LAST - FIRST or any(
        turn.reasoning or turn.tool_calls or turn.name or turn.call_id for turn in turns
    ):
        return None
    return tuple((turn.role, not turn.content.strip()) for turn in turns)


def placeholders(shape: Shape) -> tuple[Turn, ...]:
    """The conversation of a shape whose contents are one private character each."""
    return tuple(
        Turn(role, "" if is_blank else chr(FIRST + n)) for n, (role, is_blank) in enumerate(shape)
    )


@dataclass(frozen=True)
class Mould:
    """A rendering of a shape: the template's own words, and the turns whose contents go between.

    `literals` are one more than `turns`. `blind` says that the template does not look into the
    words. A span is measured from the start of a literal:
    `starts` and `stops` hold its index and the distance from there.
    """

    literals: tuple[str, ...]
    turns: tuple[int, ...]
    spans: tuple[Span, ...]
    starts: tuple[tuple[int, int], ...]
    stops: tuple[tuple[int, int], ...]
    blind: bool = False

    @property
    def views(self) -> tuple[View, View]:
        """The renderings that `fill` wants: the last prompt, and the whole."""
        last = self.spans[-1].turn
        return (last, True), (last + 1, False)

    def fill(self, turns: Sequence[Turn], prompt: str, text: str) -> Masked | None:
        """The spans of a conversation of this shape; None if it was not rendered as it says."""
        at, begins = 0, list[int]()
        for n, literal in enumerate(self.literals):
            if not text.startswith(literal, at):
                return None
            begins.append(at)
            at += len(literal)
            if n == len(self.turns):
                break
            content, after = turns[self.turns[n]].content, self.literals[n + 1]
            kept = (c for c in (content, content.strip()) if text.startswith(c + after, at))
            found = next(kept, None)
            if found is None:
                return None
            at += len(found)
        masked = self._masked(text, begins)
        is_whole = at == len(text) and text.startswith(prompt)
        return masked if is_whole and len(prompt) == masked.spans[-1].start else None

    def cast(self, turns: Sequence[Turn]) -> Masked | None:
        """A conversation of this shape, not rendered; None where that cannot be said."""
        if not self.blind or any(turn.content != turn.content.strip() for turn in turns):
            return None
        contents = [turns[n].content for n in self.turns]
        at, begins, parts = 0, list[int](), list[str]()
        for literal, content in zip(self.literals, (*contents, ""), strict=True):
            begins.append(at)
            parts += literal, content
            at += len(literal) + len(content)
        return self._masked("".join(parts), begins) if at <= MAX_RENDERED_CHARS else None

    def _masked(self, text: str, begins: Sequence[int]) -> Masked:
        """The spans of a text whose literals begin there."""
        spans = tuple(
            Span(begins[a] + i, begins[b] + j, span.terminator, span.turn)
            for span, (a, i), (b, j) in zip(self.spans, self.starts, self.stops, strict=True)
        )
        return Masked(text, spans)


def mould(masked: Masked, *, blind: bool) -> Mould | None:
    """The mould of a masked conversation of placeholders; None if one stands in it twice."""
    found = list(PLACEHOLDER.finditer(masked.text))
    turns = tuple(ord(match.group()) - FIRST for match in found)
    if len(set(turns)) < len(turns):
        return None
    begins = [0, *(match.end() for match in found)]
    ends = [*(match.start() for match in found), len(masked.text)]

    def place(at: int) -> tuple[int, int]:
        literal = max(n for n, begin in enumerate(begins) if begin <= at)
        return literal, at - begins[literal]

    literals = tuple(masked.text[a:b] for a, b in zip(begins, ends, strict=True))
    return Mould(
        literals,
        turns,
        masked.spans,
        tuple(place(span.start) for span in masked.spans),
        tuple(place(span.stop) for span in masked.spans),
        blind,
    )
