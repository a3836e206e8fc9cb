"""Ask a person at a terminal; whoever is no terminal is told which options to give."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import typer

from foundry.cli.output import note
from foundry.core.errors import FoundryError, Problem, RecipeError
from foundry.core.language import gettext as _


@dataclass(frozen=True)
class Question:
    """One thing to know: the option that answers it, and the words that ask for it.

    `read` makes the value of what was typed and raises an error for what cannot be one;
    `default` makes a value of the answers before, or None where one must be given.
    """

    option: str
    text: str
    read: Callable[[str], str]
    default: Callable[[Mapping[str, str]], str | None]
    is_needed: bool = False


def answered(
    questions: Sequence[Question], given: Mapping[str, str | None], *, may_ask: bool
) -> dict[str, str]:
    """A value by option: what was given, else asked for, else the default.

    Nothing is asked where every option that is needed was given.

    Raises:
        RecipeError: A needed option was not given and nobody may be asked, or some that were given
            cannot be.
        ResourceError: The base model's folder is not there, or cannot be opened.
        typer.Abort: The input ended.
    """
    found = _read(questions, given)
    missing = [q for q in questions if q.is_needed and q.option not in found]
    if missing and not may_ask:
        raise RecipeError([_needed(question) for question in missing])
    for question in questions:
        if question.option not in found:
            default = question.default(found)
            found[question.option] = _ask(question, default) if missing else str(default)
    return found


def _read(questions: Sequence[Question], given: Mapping[str, str | None]) -> dict[str, str]:
    """The values that options gave; all that cannot be are told at once, each with its option."""
    found, failed = dict[str, str](), list[FoundryError]()
    for question in questions:
        if (text := given[question.option]) is None:
            continue
        try:
            found[question.option] = question.read(text)
        except FoundryError as error:
            option = f"--{question.option}"
            failed.append(
                type(error)([replace(p, where=p.where or option) for p in error.problems])
            )
    if failed:
        raise type(failed[0])([problem for error in failed for problem in error.problems])
    return found


def _needed(question: Question) -> Problem:
    what, fix = _("this option is needed"), _("add `{option} …`: {text}")
    option, text = f"--{question.option}", question.text.splitlines()[0]
    return Problem(option, what, fix.format(option=option, text=text))


def _ask(question: Question, default: str | None) -> str:
    """Ask until there is an answer that can be one; an empty line takes the default."""
    note(question.text)
    while True:
        prompt = "> " if default is None else f"[{default}] > "
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise typer.Abort
        try:
            return question.read(line.strip() or default or "")
        except FoundryError as error:
            note(str(error))
