"""Ask a person at a terminal; whoever is no terminal is told which options to give."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import typer

from foundry.cli.output import note
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _


@dataclass(frozen=True)
class Question:
    """One thing to know: the option that answers it, and the words that ask for it.

    `read` makes the value of what was typed and raises RecipeError for what cannot be one;
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
        RecipeError: A needed option was not given and nobody may be asked, or one that was given
            cannot be.
        typer.Abort: The input ended.
    """
    found = {q.option: q.read(text) for q in questions if (text := given[q.option]) is not None}
    missing = [q for q in questions if q.is_needed and q.option not in found]
    if missing and not may_ask:
        raise RecipeError([_needed(question) for question in missing])
    for question in questions:
        if question.option not in found:
            default = question.default(found)
            found[question.option] = _ask(question, default) if missing else str(default)
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
        except RecipeError as error:
            note(str(error))
