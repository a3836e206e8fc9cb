"""Conversations -> masked texts, many at a time; the only place where training data are rendered.

Of each answer the prompt and the text that ends with it are rendered, unless the shape of the
conversation says how they read (`encode.shapes`).
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
    known = [_moulds(talk, template, control) for talk in talks]
    cast = [_cast(talk, moulds) for talk, moulds in zip(talks, known, strict=True)]
    first = {id(moulds): n for n, moulds in reversed(list(enumerate(known)))}
    asked = [n for n, made in enumerate(cast) if made is None or n == first[id(known[n])]]
    outcomes = _checked([talks[n] for n in asked], [known[n] for n in asked], template, control)
    for n, outcome in zip(asked, outcomes, strict=True):
        if cast[n] not in (None, outcome):
            roles = [turn.role for turn in talks[n].turns]  # the words are the user's, and stay so
            raise RuntimeError(f"a template was taken not to look into the words ({roles})")
        cast[n] = outcome
    return [outcome for outcome in cast if outcome is not None]


def _checked(
    talks: Sequence[Talk],
    known: Sequence[tuple[Mould, ...]],
    template: Template,
    control: frozenset[str],
) -> list[Outcome]:
    """Each conversation rendered, and masked as its shape says or else by the full check."""
    has_calls = any(turn.tool_calls for talk in talks for turn in talk.turns)
    tail = _tail(template, control) if has_calls else ""
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


def _cast(talk: Talk, moulds: Sequence[Mould]) -> Outcome | None:
    """The conversation without a rendering; None where it needs one."""
    made = tuple(one.cast(talk.turns) for one in moulds)
    return made if made and all(made) else None  # type: ignore[return-value]


def _moulds(talk: Talk, template: Template, control: frozenset[str]) -> tuple[Mould, ...]:
    """What is known of the shape of a conversation; nothing where that would save nothing."""
    shape = None if talk.tools or talk.last_only else shape_of(talk.turns)
    moulds = () if shape is None else _learned(shape, template, control)
    answers = sum(turn.role == "assistant" for turn in talk.turns)
    return moulds if answers > 1 or all(one.blind for one in moulds) else ()


@lru_cache(maxsize=1024)
def _learned(shape: Shape, template: Template, control: frozenset[str]) -> tuple[Mould, ...]:
    """The moulds of a shape by the full check; none for a shape that the template refuses."""
    found, blind = _tried(placeholders(shape), template, control)
    made = [mould(masked, blind=blind) for masked in found]
    return tuple(one for one in made if one is not None) if all(made) else ()


@lru_cache(maxsize=8)
def _tail(template: Template, control: frozenset[str]) -> str:
    """What the template writes after the end of a plain answer that ends a document."""
    turns = placeholders((("user", False), ("assistant", False)))
    found, _blind = _tried(turns, template, control)
    ends = [masked.text[masked.spans[-1].stop :] for masked in found]
    return ends[-1].rstrip() if ends else ""


def _tried(
    turns: tuple[Turn, ...], template: Template, control: frozenset[str]
) -> tuple[tuple[Masked, ...], bool]:
    """The masked texts of placeholders by the full check; none if the template refuses them.

    And whether the template renders the same without a look at them.
    """
    talk = Talk(turns)
    wanted = _all_views(talk)
    try:
        jobs = [Job(turns, wanted), Job(turns, wanted, blind=True)]
        seen, unseen = render_many(jobs, template)
        outcome = _masked(talk, dict(zip(wanted, seen, strict=True)), control, tail="")
    except DataError:  # the conversation itself will say what is wrong
        return (), False
    masked = () if isinstance(outcome, TurnRefusedError) else outcome
    return masked, seen == unseen
