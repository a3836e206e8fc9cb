"""The command `foundry`: find the verb, run it, turn what went wrong into an exit code.

A verb is a file in this folder with an `app`; adding one takes a line in `VERBS`. Its module is
imported when the verb is used, so that `foundry --help` answers at once.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from foundry.cli import output
from foundry.cli.progress.ndjson import ndjson
from foundry.core import allocator, plugins, secrets, shortage
from foundry.core.environment import LIBRARIES
from foundry.core.errors import (
    FoundryError,
    InterruptedRun,
    Problem,
    RecipeError,
    ResourceError,
    Terminated,
)
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.near import nearest

INTERRUPTED = 130


def N_(message: str) -> str:
    """Mark a message for extraction; it is translated when it is printed."""
    return message


# verb: (its module, its line of help), in the order of `foundry --help`
VERBS = {
    "recipe": ("foundry.cli.recipe", N_("List, show, check and fill in recipes.")),
    "plan": ("foundry.cli.plan", N_("Resolve a recipe and show what it will do.")),
    "train": ("foundry.cli.train", N_("Turn a recipe into a proven package.")),
    "launch": ("foundry.cli.launch", N_("Write the job that trains a recipe on a cluster.")),
    "model": ("foundry.cli.model", N_("List, show and fetch base models.")),
    "licence": ("foundry.cli.licence", N_("Say what licences allow, ask for and forbid.")),
    "openness": (
        "foundry.cli.openness",
        N_("Say how open a model's data, code and weights are."),
    ),
    "compare": (
        "foundry.cli.compare",
        N_("Compare finished runs: quality, memory, size and seconds, with verdicts."),
    ),
    "study": ("foundry.cli.study", N_("Train the arms of a study, and show how far it has come.")),
    "run": ("foundry.cli.run", N_("List, show, compare and clean up runs; add up their cost.")),
    "eval": ("foundry.cli.eval", N_("Ask models the same questions and compare their answers.")),
    "verify": ("foundry.cli.verify", N_("Check every file and record of a package.")),
    "key": (
        "foundry.cli.key",
        N_("Make the key that signs packages, and show a key's fingerprint."),
    ),
    "sign": ("foundry.cli.sign", N_("Sign a package.")),
    "publish": ("foundry.cli.publish", N_("Put a proven package into a registry.")),
    "registry": (
        "foundry.cli.registry",
        N_("List, show, promote, retire and get published packages."),
    ),
    "chat": ("foundry.cli.chat", N_("Ask a package.")),
    "doctor": ("foundry.cli.doctor", N_("Say whether this machine can train.")),
}


# Verbs that compute for minutes.
LONG = {"train", "eval"}


class Verbs(TyperGroup):
    """Commands that are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a verb; None where there is none of this name."""
        if cmd_name not in VERBS:
            return None
        command = typer.main.get_command(plugins.module(VERBS[cmd_name][0]).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs with their help from the table, importing none."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(verb, _(line)) for verb, (_module, line) in VERBS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that `args` begins with."""
        if args[0] not in VERBS:
            raise RecipeError(_unknown_verb(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb. Typer would end with 1 where the reader of stdout has gone (`| head`)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            output.silence(sys.stdout)
            return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: What follows the program's name; `sys.argv` where None.

    Returns:
        The exit code: 0 done, else as in `foundry.core.errors`, 70 for a bug of ours.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if arguments is None and LONG & {*given[:1]} and "--help" not in given:
        allocator.start_anew(sys.orig_argv[1:])
    # OpenMP's threads spin while they wait, and beside another busy process that costs more than
    # the work: 192 tokens of Gemma-3-270m under llama.cpp on two shared cores took 18-54 s, with
    # sleeping threads 6-7 s; on idle cores 2.3 s against 2.5 s. Read when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    output.make_streams_robust()
    with _terminable():
        return _told(given)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does, with its own code; training saves before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(given: list[str]) -> int:
    """Run a command line and tell, to a person or a program, what went wrong; the exit code."""
    if "--events" in given and "--help" not in given:
        return _streamed(given)
    code, error = _outcome(given, Events())
    if error is not None:
        output.print_error(error, as_json="--json" in given)
    return code


def _streamed(given: list[str]) -> int:
    """Run a command line whose stdout is a stream of events; the last one says how it ended."""
    events = Events([ndjson()])
    started = time.monotonic()
    with redirect_stdout(output.OnStderr()):
        code, error = _outcome(given, events)
    if error is not None:
        output.print_error(error, as_json=False)
    why = {} if error is None else {k: v for k, v in error.as_dict().items() if k != "exit_code"}
    seconds = round(time.monotonic() - started, 3)
    events.emit(None, "done", exit=code, seconds=seconds, **why)
    return code


def _outcome(given: list[str], events: Events) -> tuple[int, FoundryError | None]:
    """Run the verb; its exit code, and what went wrong where something is to be said of it."""
    try:
        code = _run(given, events)
        sys.stdout.flush()
        return code, None
    except FoundryError as error:
        return error.exit_code, error
    except typer.TyperException as error:
        from foundry.cli import usage

        verb = " ".join(["foundry", *given[:1]]) if given and given[0] in VERBS else "foundry"
        wrong = RecipeError(usage.problem(error, verb))
        return wrong.exit_code, wrong
    except Terminated:
        what, fix = _("stopped by a signal"), _("run the same command again to go on")
        return InterruptedRun.exit_code, InterruptedRun(Problem("", what, fix))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED, None
    except BrokenPipeError:
        output.silence(sys.stdout)
        return 0, None
    except Exception as error:  # what no one foresaw is told in one line and kept in a file
        told = _not_installed(error) or _not_here(error) or _internal(error)
        return told.exit_code, told


def _run(arguments: list[str], events: Events) -> int:
    command = typer.main.get_command(_app())
    result = command.main(arguments, prog_name="foundry", standalone_mode=False, obj=events)
    return result if isinstance(result, int) else 0


def _app() -> typer.Typer:
    """The top command, made at each call because its help is in the language in force."""
    app = typer.Typer(cls=Verbs, rich_markup_mode=None, invoke_without_command=True)
    about = _("Turn a recipe into a proven vertical language model.")

    @app.callback(help=output.with_example(about, "recipe list"))
    def top(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", help=_("Print the version.")),
    ) -> None:
        if version:
            _print_version()
        elif context.invoked_subcommand is None:
            print(context.get_help())

    return app


def _print_version() -> None:
    from foundry.core.version import version

    print(f"foundry {version()}")


def _unknown_verb(word: str) -> Problem:
    near = nearest(word, VERBS)
    command = f"foundry {near}" if near else "foundry --help"
    what = _("unknown command `{word}`").format(word=secrets.mask(word))
    return Problem("", what, _("use `{command}`").format(command=command))


def _not_installed(error: Exception) -> ResourceError | None:
    """What to install where a library that trains is not here; None for any other error."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if name is None or name.partition(".")[0] not in LIBRARIES:
        return None
    what, fix = _("the package is not installed"), "pip install 'ai-foundry[train]'"
    return ResourceError(Problem(name.partition(".")[0], what, fix))


def _not_here(error: Exception) -> ResourceError | None:
    """What the system refused of a path that the user named, or of stdout."""
    return shortage.refused_path(error) if isinstance(error, OSError) else None


def _internal(error: Exception) -> FoundryError:
    """Keep the traceback, without tokens, and name the file it is in."""
    text = secrets.mask("".join(traceback.format_exception(error)))
    what = _("an error of the program, not yours: {error}")
    what = what.format(error=secrets.mask(f"{type(error).__name__}: {error}").split("\n")[0])
    try:
        path = _log_file()
        path.write_text(text, encoding="utf-8")
    except OSError:
        output.note(text)
        return FoundryError(Problem("", what, _("report it with the lines above")))
    return FoundryError(Problem("", what, _("report it with the file {path}").format(path=path)))


def _log_file() -> Path:
    """A new file in `FOUNDRY_HOME`, else in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("FOUNDRY_HOME") or Path(cache) / "foundry") / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return folder / f"error-{stamp}-{os.getpid()}.txt"
