"""`foundry recipe new`: take flags or ask five questions, and write a recipe for a data file."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from foundry.cli.output import Json, print_json
from foundry.cli.questions import answered
from foundry.cli.recipe_questions import BASES, questions
from foundry.cli.rows import print_file, print_row
from foundry.core import atomic, layers
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _

Data = Annotated[
    str, typer.Argument(metavar="DATA", help=_("A file, a folder or an archive with the rows."))
]
Base = Annotated[str | None, typer.Option("--base", help=_("A name of `foundry model list`."))]
Name = Annotated[str | None, typer.Option("--name", help=_("Name of the recipe."))]
Licence = Annotated[str | None, typer.Option("--licence", help=_("Licence of the data."))]
Basis = Annotated[str | None, typer.Option("--basis", help=", ".join(BASES))]
By = Annotated[str | None, typer.Option("--by", help=_("Who declares that they may be used."))]
Purpose = Annotated[str | None, typer.Option("--purpose", help=_("What the model is for."))]
Format = Annotated[
    str | None, typer.Option("--format", help=_("How to read the columns; else recognised."))
]
Out = Annotated[Path | None, typer.Option("--out", help=_("The recipe; else DATA.yaml here."))]
Force = Annotated[bool, typer.Option("--force", help=_("Replace the file if it is there."))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Print the recipe; write nothing."))]


def new(
    data: Data,
    base: Base = None,
    name: Name = None,
    licence: Licence = None,
    basis: Basis = None,
    by: By = None,
    purpose: Purpose = None,
    format: Format = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Look at the data, ask what is not given, and write the shortest recipe that works."""
    from foundry.planning.dry_render import file_view, turns
    from foundry.planning.new_recipe import Wanted, file_for, look, make, path_from, terms

    target = out or file_for(data)
    if target.is_file() and not (force or dry_run):
        raise _exists(target)
    block = _read_format(format)
    seen = look(data, target, block)
    file, first = file_view("", seen, ()), seen.examples[0]
    example = {"line": first.line, "tokens": None, "parts": turns(first)}
    if not json and not dry_run:
        print_file(data, file.as_dict())
        print_row(example, 0)
    given = {"base": base, "licence": licence, "basis": basis, "by": by, "purpose": purpose}
    answers = answered(questions(), given, may_ask=sys.stdin.isatty() and not json)
    wanted = Wanted(path_from(target, data), target, **answers, name=name, format=block)
    text = make(wanted, seen)
    if not dry_run:
        atomic.write_text(target, text)
    commands = _commands(target, terms(wanted))
    if json:
        print_json(
            {
                "path": str(target),
                "written": not dry_run,
                "text": text,
                "file": file.as_dict(),
                "example": example,
                "commands": commands,
            }
        )
    elif dry_run:
        print(text, end="")
    else:
        print(_("written: {path}").format(path=target))
        print("\n".join(f"  {command}" for command in commands))


def _exists(target: Path) -> RecipeError:
    what = _("there is such a file already, and it is not replaced unasked")
    fix = _("add `--force`, or name another with `--out`")
    return RecipeError(Problem(str(target), what, fix))


def _read_format(text: str | None) -> Any:
    """The recipe's `format` block; a word alone is its kind."""
    if text is None:
        return None
    tree, problems = layers.read_overrides([f"format={text}"])
    if tree is None or problems:
        raise RecipeError(problems)
    value = tree.plain()["format"]
    return {"kind": value} if isinstance(value, str) else value


def _commands(recipe: Path, terms: Sequence[str]) -> list[str]:
    """What to do next."""
    file = shlex.quote(str(recipe))
    options = [f"--accept-terms {name}" for name in terms]
    return [f"foundry recipe check {file}", " ".join(["foundry train", file, *options])]
