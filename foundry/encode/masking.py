"""Conversations -> masked texts, many at a time; the only place where training data are rendered.

A conversation of one answer takes two renderings: its prompt and the whole. One of more answers
takes two as well where its shape is known (`encode.shapes`), else two for each answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.records import Turn
from foundry.encode.mask import Masked, TurnRefusedError, mask, views
from foundry.encode.render import Job, Template, View, render_many
from foundry.encode.shapes import Mould, Shape, mould, placeholders, shape_of

Tools = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Talk:
    """A conversation to mask, its system turn included; `last_only` supervises the last answer."""

    turns: tuple[Turn, ...]
    tools: Tools = ()
    last_only: bool = False


Outcome = tuple[Masked, ...] | TurnRefusedError


def mask_many(talks: Sequence[Talk], template: Template, control: frozenset[str]) -> list[Outcome]:
    """The masked texts of each conversation, or why the template does not let it be trained.

    Raises:
        DataError: As `mask` and `render_many` do, for a template that can be used for no row.
    """
    has_calls = any(turn.tool_calls for talk in talks for turn in talk.turns)
    tail = _tail(template, control) if has_calls else ""
    known = [_moulds(talk, template, control) for talk in talks]
    wanted = [
        [view for one in moulds for view in one.views] if moulds else _all_views(talk)
        for talk, moulds in zip(talks, known, strict=True)
    ]
    found = _rendered(talks, wanted, template)
    outcomes = [
        _filled(talk, moulds, texts) if moulds else _masked(talk, texts, control, tail)
        for talk, moulds, texts in zip(talks, known, found, strict=True)
    ]
    missed = [n for n, outcome in enumerate(outcomes) if outcome is None]
    again = [talks[n] for n in missed]
    texts_again = _rendered(again, [_all_views(talk) for talk in again], template)
    for n, talk, texts in zip(missed, again, texts_again, strict=True):
        outcomes[n] = _masked(talk, texts, control, tail)
    return [outcome for outcome in outcomes if outcome is not None]


def _all_views(talk: Talk) -> list[View]:
    return views(talk.turns, last_only=talk.last_only)


def _rendered(
    talks: Sequence[Talk], wanted: Sequence[Sequence[View]], template: Template
) -> list[dict[View, str | Problem]]:
    jobs = [Job(talk.turns, seen, talk.tools) for talk, seen in zip(talks, wanted, strict=True)]
    answers = render_many(jobs, template) if jobs else []
    return [
        dict(zip(job.views, texts, strict=True)) for job, texts in zip(jobs, answers, strict=True)
    ]


def _masked(
    talk: Talk, texts: Mapping[View, str | Problem], control: frozenset[str], tail: str
) -> Outcome:
    read = dict[View, str]()
    for view, text in texts.items():
        if isinstance(text, Problem):
            return TurnRefusedError("template-refused", text.what)
        read[view] = text
    try:
        return mask(talk.turns, read, control, tail)
    except TurnRefusedError as error:
        return error


def _filled(
    talk: Talk, moulds: Sequence[Mould], texts: Mapping[View, str | Problem]
) -> Outcome | None:
    """The conversation as its shape says; None where it was rendered otherwise."""
    made = list[Masked]()
    for one in moulds:
        prompt, text = (texts[view] for view in one.views)
        if isinstance(prompt, Problem) or isinstance(text, Problem):
            return None
        masked = one.fill(talk.turns, prompt, text)
        if masked is None:
            return None
        made.append(masked)
    return tuple(made)


def _moulds(talk: Talk, template: Template, control: frozenset[str]) -> tuple[Mould, ...]:
    """What is known of the shape of a conversation of several answers; nothing for others."""
    answers = sum(turn.role == "assistant" for turn in talk.turns)
    shape = None if talk.tools or talk.last_only or answers < 2 else shape_of(talk.turns)
    return () if shape is None else _learned(shape, template, control)


@lru_cache(maxsize=1024)
def _learned(shape: Shape, template: Template, control: frozenset[str]) -> tuple[Mould, ...]:
    """The moulds of a shape by the full check; none for a shape that the template refuses."""
    made = [mould(masked) for masked in _tried(placeholders(shape), template, control)]
    return tuple(one for one in made if one is not None) if all(made) else ()


@lru_cache(maxsize=8)
def _tail(template: Template, control: frozenset[str]) -> str:
    """What the template writes after the end of a plain answer that ends a document."""
    turns = placeholders((("user", False), ("assistant", False)))
    ends = [masked.text[masked.spans[-1].stop :] for masked in _tried(turns, template, control)]
    return ends[-1].rstrip() if ends else ""


def _tried(
    turns: tuple[Turn, ...], template: Template, control: frozenset[str]
) -> tuple[Masked, ...]:
    """The masked texts of placeholders by the full check; none if the template refuses them."""
    talk = Talk(turns)
    try:
        (texts,) = _rendered([talk], [_all_views(talk)], template)
        outcome = _masked(talk, texts, control, tail="")
    except DataError:  # the conversation itself will say what is wrong
        return ()
    return () if isinstance(outcome, TurnRefusedError) else outcome
