"""What typer refuses of a command line, in our words and in the language in force.

Typer 0.29 keeps the classes of its errors to itself, so they are told apart by name; one that is
not known here stays in typer's own words.
"""

import re
from typing import Any

import typer
from pydantic import ValidationError

from foundry.core import explain
from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.near import nearest

QUOTED = re.compile(r"'([^']*)'")


def problem(error: typer.TyperException, verb: str) -> Problem:
    """What is wrong with a command line, and where its help is.

    Args:
        error: Typer's.
        verb: What the command line began with, for errors that do not tell which command it was.
    """
    facts = vars(error)
    context, kind = facts.get("ctx"), type(error).__name__
    command = context.command_path if context else verb
    fix = _("see `{command}`").format(command=f"{command} --help")
    if kind == "NoSuchOption":
        near = next(iter(facts["possibilities"] or ()), None)
        fix = _("use `{name}`").format(name=near) if near else fix
        return Problem(facts["option_name"], _("no such option"), fix)
    if kind == "BadOptionUsage":
        needs = "requires" in error.message
        what = _("needs a value") if needs else _("takes no value")
        return Problem(facts["option_name"], what, fix)
    if kind == "MissingParameter":
        return Problem(_name(facts["param"]), _("is needed, and was not given"), fix)
    if kind == "BadParameter" and isinstance(error.__cause__, ValidationError):
        return _wrong_value(_name(facts["param"]), error.__cause__, fix)
    return _wrong_words(error, context, fix)


def _name(param: Any) -> str:
    """An option or argument as its help calls it."""
    return str(param.get_error_hint()).replace("'", "") if param else ""


def _wrong_value(where: str, cause: ValidationError, fix: str) -> Problem:
    """A value that is no number, out of its bounds, or none of the words that there are."""
    detail = cause.errors(include_url=False)[0]
    given, choices = str(detail["input"]), QUOTED.findall(detail["msg"])[1:]
    wanted = explain.expected(detail, None)
    if choices:
        wanted = _("one of {words}").format(words=", ".join(choices))
        near = nearest(given, choices)
        fix = _("use `{name}`").format(name=near) if near else fix
    what = _("must be {wanted}; got {found}").format(wanted=wanted, found=given)
    return Problem(where, what, fix)


def _wrong_words(error: typer.TyperException, context: Any, fix: str) -> Problem:
    """A command that there is not, or is not given, or words that nothing takes."""
    said = error.format_message()
    found = QUOTED.findall(said)
    if said.startswith("No such command"):
        near = nearest(found[0], context.command.list_commands(context))
        fix = _("use `{command}`").format(command=f"{context.command_path} {near}") if near else fix
        return Problem("", _("unknown command `{word}`").format(word=found[0]), fix)
    if said.startswith("Missing command"):
        names = ", ".join(context.command.list_commands(context))
        return Problem(context.command_path, _("is one of: {names}").format(names=names), fix)
    if said.startswith("Got unexpected extra argument"):
        words = said.partition("(s)")[2].strip(" ()")
        return Problem("", _("more words than there is use for: {words}").format(words=words), fix)
    return Problem("", said, fix)
