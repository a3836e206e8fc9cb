"""Show events on a terminal: a bar for the steps, a line above it for everything else."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from foundry.cli.progress.sentences import STEPS, is_last, is_step, sentence
from foundry.core.events import Event, Listener


@contextmanager
def bar() -> Iterator[Listener]:
    """A listener that draws on stderr, as wide as the terminal or `COLUMNS`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task: Any = None

        def show(event: Event) -> None:
            nonlocal task
            text = sentence(event)
            if text is None:
                return
            if is_step(event) and not is_last(event):
                task = progress.add_task("") if task is None else task
                done = event[STEPS[event["event"]]]
                progress.update(task, description=text, completed=done, total=event["of"])
                return
            with suppress(OSError):  # the terminal has gone; the work goes on
                progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
            if task is not None:
                progress.remove_task(task)
            task = None

        yield show
