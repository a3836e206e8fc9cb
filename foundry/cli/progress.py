"""Show the event stream to a person: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from foundry.core.events import Event, Listener
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.data.notices import not_read, sentence

QUIET_LINE_EVERY_S = 10.0


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener for `Events` that writes to stderr until the block ends."""
    if sys.stderr.isatty():
        with _bars() as listener:
            yield listener
    else:
        yield _lines()


def _lines() -> Listener:
    last = 0.0

    def show(event: Event) -> None:
        nonlocal last
        text = _sentence(event)
        now = time.monotonic()
        if text is None or (_is_step(event) and now - last < QUIET_LINE_EVERY_S):
            return
        last = now
        print(text, file=sys.stderr, flush=True)

    return show


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task: Any = None

        def show(event: Event) -> None:
            nonlocal task
            text = _sentence(event)
            if text is None:
                return
            if not _is_step(event):
                progress.console.print(text, markup=False, highlight=False)
                if task is not None:
                    progress.remove_task(task)
                task = None
                return
            task = progress.add_task("") if task is None else task
            done = event.get("step", event.get("done"))
            progress.update(task, description=text, completed=done, total=event["of"])

        yield show


def _is_step(event: Event) -> bool:
    return event["event"] in ("step", "answers", "bytes") and event["of"] != event.get("done")


def _sentence(event: Event) -> str | None:
    """The event for people, or None when it is only for programs."""
    kind, stage = event["event"], _stage(event["stage"])
    if kind == "step":
        return _step(event)
    if kind == "layers":
        counts = ", ".join(f"{name} {count}" for name, count in event["layers"].items())
        return _("{stage}: layers with an update: {counts}").format(stage=stage, counts=counts)
    if kind == "bytes":
        return _bytes(event)
    if kind == "notice":
        return _notice(event)
    if kind == "not-read":
        return _not_read(event)
    if kind == "source":
        return _source(event)
    if kind == "done":
        return _done(event)
    sentences = {
        "base": _("{stage}: base model {name}; its first use converts it, which takes minutes"),
        "begin": _("{stage}: begins {name}"),
        "nothing": _("{stage}: no package, since the recipe's `exports` are empty"),
        "skipped": _("{stage}: unchanged, skipped"),
        "settled": _("{stage}: {key} is {value} ({reason})"),
        "resume": _("{stage}: goes on from step {step}"),
        "skipped-checkpoint": _("{stage}: a checkpoint is not used ({reason})"),
        "unpacked": _(
            "{stage}: rows side by side, since this model lets rows in one sequence see each other"
        ),
        "answers": _("{stage}: {column}: {done} of {of} answers"),
    }
    if kind not in sentences:
        return None
    values = {"name": "", "seconds": "", **event, "stage": stage}
    return " ".join(sentences[kind].format(**values).split())


def _step(event: Event) -> str:
    text = _("training: step {step} of {of}, loss {loss:.3f}").format(
        step=event["step"], of=event["of"], loss=event["loss"]
    )
    if "eta_s" not in event:
        return text
    pace = _("{speed:.0f} tokens/s, {left} left")
    minutes, seconds = divmod(int(event["eta_s"]), 60)
    left = f"{minutes}:{seconds:02d}"
    return f"{text}, {pace.format(speed=event['tokens_per_s'], left=left)}"


def _bytes(event: Event) -> str:
    text = _("fetching {name}: {done} of {of}")
    done, of = readable(event["done"]), readable(event["of"])
    return text.format(name=event["name"], done=done, of=of)


def _done(event: Event) -> str:
    text = _("{stage}: done {name} ({cost})")
    cost = [_("{seconds} s").format(seconds=event["seconds"])] if "seconds" in event else []
    if event.get("peak_memory_bytes"):
        peak = readable(event["peak_memory_bytes"])
        cost.append(_("at most {size} of memory so far").format(size=peak))
    values = {"name": "", **event, "stage": _stage(event["stage"]), "cost": ", ".join(cost)}
    return " ".join(text.format(**values).split())


def _source(event: Event) -> str:
    text = _(
        "{stage}: {file}: {kind} ({encoding}), read by `{format}`{guessed}; "
        "{rows} rows: {used} used, {refused} refused{codes}; {blank} blank"
    )
    refused = event["refused"]
    codes = ", ".join(f"{code} {count}" for code, count in refused.items())
    values = {
        **event,
        "stage": _stage(event["stage"]),
        "guessed": _(", guessed from its columns") if event["guessed"] else "",
        "refused": sum(refused.values()),
        "codes": f" ({codes})" if codes else "",
    }
    return text.format(**values)


def _not_read(event: Event) -> str:
    text = _("{stage}: not read: {count} files ({reason}; first {first})")
    reason, fix = not_read(event["reason"])
    told = text.format(**{**event, "stage": _stage(event["stage"]), "reason": reason})
    return f"{told}\n  {_('fix')}: {fix}" if fix else told


def _notice(event: Event) -> str:
    values = {**event, "stage": _stage(event["stage"]), "what": sentence(event["code"])}
    if event["first"]:
        return _("{stage}: look at this: {what} ({count}; first {first})").format(**values)
    return _("{stage}: look at this: {what} ({count})").format(**values)


def _stage(name: str) -> str:
    names = {
        "plan": _("plan"),
        "data": _("data"),
        "encode": _("encoding"),
        "train": _("training"),
        "export": _("export"),
        "evaluate": _("evaluation"),
        "package": _("packaging"),
        "fetch": _("fetching"),
    }
    return names[name]
