"""Conversation -> text through the model's one chat template, in a bounded process (C75).

The same function serves training, evaluation, parity and chat, so that all of them see the same
prompt. What runs a template is `foundry/encode/render_child.py`, which is ended by its own clock
when a template takes more than `SECONDS` of computing for one conversation.
"""

import atexit
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.encode.render_child import (
    BUFFER_BYTES,
    MAX_RENDERED_CHARS,
    MEMORY_BYTES,
    OUT_OF_TIME,
    TEXT,
    TOO_LARGE,
    TOO_LONG,
    read_frame,
    write_frame,
)

MAX_TEMPLATE_CHARS = 200_000
# -P: a `jinja2.py` in the user's folder must not be taken for the library.
COMMAND = (sys.executable, "-P", "-m", "foundry.encode.render_child")
SECONDS = 5.0  # of computing for one conversation; real templates take a ten-thousandth of it
PATIENCE = 120.0  # seconds until a child that neither answers nor ends is given up

View = tuple[int, bool]
"""How many of the messages to render, and whether the generation prompt follows."""


@dataclass(frozen=True)
class Job:
    """A conversation and the views of it that are wanted.

    A view of a `blind` one is refused if the template looks into the words, see `encode.blind`.
    """

    turns: Sequence[Turn]
    views: Sequence[View]
    tools: Sequence[Mapping[str, Any]] = ()
    blind: bool = False


@dataclass(frozen=True)
class Template:
    """A chat template with the two control tokens that templates write by name."""

    source: str
    bos_token: str
    eos_token: str = ""


def render(
    turns: Sequence[Turn],
    template: str,
    *,
    bos_token: str,
    eos_token: str = "",
    add_generation_prompt: bool = False,
    tools: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The text of a conversation.

    Raises:
        DataError: As `render_many`, or the template refuses the conversation (roles that do not
            alternate, for example) or reaches outside the sandbox.
    """
    job = Job(turns, [(len(turns), add_generation_prompt)], tools)
    ((text,),) = render_many([job], Template(template, bos_token, eos_token))
    if isinstance(text, Problem):
        raise DataError(text)
    return text


def render_many(jobs: Sequence[Job], template: Template) -> list[list[str | Problem]]:
    """The texts of many conversations, a list of its views' texts for each.

    Returns:
        In place of a text, the problem for which the template refused that view.

    Raises:
        DataError: The template is too long, or was stopped because it took more than `SECONDS`
            for one view or more memory than `MEMORY_BYTES`.
    """
    if len(template.source) > MAX_TEMPLATE_CHARS:
        what = _("the template has {found} characters; the most is {most}")
        found = what.format(found=len(template.source), most=MAX_TEMPLATE_CHARS)
        raise DataError(Problem("chat_template", found))
    request = {
        "template": template.source,
        "bos_token": template.bos_token,
        "eos_token": template.eos_token,
        "seconds": SECONDS,
        "jobs": [_as_json(job) for job in jobs],
    }
    return _process().answers(json.dumps(request, ensure_ascii=False).encode(), jobs)


def _as_json(job: Job) -> dict[str, Any]:
    return {
        "messages": [_message(turn) for turn in job.turns],
        "views": list(job.views),
        "tools": [dict(tool) for tool in job.tools] or None,
        "blind": job.blind,
    }


def _message(turn: Turn) -> dict[str, Any]:
    """The turn as templates read it; the one of gpt-oss calls the reasoning `thinking`."""
    message = turn.as_dict()
    return {**message, "thinking": turn.reasoning} if turn.reasoning else message


def stop() -> None:
    """End the process that renders, if there is one; the next conversation starts another."""
    _process().stop()


@cache
def _process() -> "_Process":
    """The process that renders for this one; it starts at the first conversation."""
    made = _Process()
    atexit.register(made.stop)
    return made


@dataclass
class _Process:
    """The child, and a thread that takes what it writes, so that waiting can have an end."""

    _child: "subprocess.Popen[bytes] | None" = None
    _frames: "queue.SimpleQueue[bytes | None]" = field(default_factory=queue.SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answers(self, request: bytes, jobs: Sequence[Job]) -> list[list[str | Problem]]:
        """Send one request and read an answer for each view."""
        with self._lock:
            self._send(request)
            return [[self._answer() for _view in job.views] for job in jobs]

    def stop(self) -> None:
        """End the child; the next request starts another."""
        if self._child is None:
            return
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of what it died before reading
                    pipe.close()
        self._child = None

    def _end(self) -> Problem:
        """Clear away a child that ended by itself, and say why it did."""
        assert self._child is not None
        code = self._child.wait()
        self.stop()
        if code > 0:  # it raised, which only our own part of it can do
            raise RuntimeError(f"the process that renders templates ended with {code}")
        if code == -OUT_OF_TIME:
            return _too_slow()
        what = _("the chat template was ended by {signal}; it may need more than {n} MiB of memory")
        by = signal.Signals(-code).name
        return _unusable(what.format(signal=by, n=MEMORY_BYTES >> 20))

    def _send(self, request: bytes) -> None:
        if self._child is None or self._child.poll() is not None:
            self.stop()
            self._start()
        assert self._child is not None and self._child.stdin is not None
        with suppress(BrokenPipeError):  # it died before it read; the answers' end says why
            write_frame(self._child.stdin, request)
            self._child.stdin.flush()

    def _start(self) -> None:
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(
            COMMAND, bufsize=BUFFER_BYTES, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        self._frames = queue.SimpleQueue()
        reader = threading.Thread(target=_forward, args=(self._child, self._frames), daemon=True)
        reader.start()

    def _answer(self) -> str | Problem:
        try:
            frame = self._frames.get(timeout=PATIENCE)
        except queue.Empty:
            self.stop()
            raise DataError(_too_slow()) from None
        if frame is None:
            raise DataError(self._end())
        text = frame[1:].decode("utf-8")
        return text if frame[:1] == TEXT else _problem(frame[:1], text)


def _forward(child: "subprocess.Popen[bytes]", frames: "queue.SimpleQueue[bytes | None]") -> None:
    for frame in _frames_of(child):
        frames.put(frame)
    frames.put(None)


def _frames_of(child: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    assert child.stdout is not None
    try:
        while (frame := read_frame(child.stdout)) is not None:
            yield frame
    except (OSError, ValueError):  # the pipe was closed under the reader: the child was stopped
        return


def _problem(kind: bytes, said: str) -> Problem:
    """Why a view has no text; `said` is what the child sent along."""
    fix = _("shorten the conversation, or use a base model with a template you trust")
    if kind == TOO_LONG:
        what = _("the chat template made {found} characters; the most is {most}")
        what = what.format(found=said, most=MAX_RENDERED_CHARS)
    elif kind == TOO_LARGE:
        what = _("the chat template needs more memory than a template is given: {n} MiB")
        what = what.format(n=MEMORY_BYTES >> 20)
    else:
        what = _("the chat template refused the conversation ({error})").format(error=said)
        fix = _("check the order of the roles")
    return Problem("chat_template", what, fix)


def _too_slow() -> Problem:
    what = _("the chat template was stopped: one conversation took more than {n} seconds")
    return _unusable(what.format(n=f"{SECONDS:g}"))


def _unusable(what: str) -> Problem:
    return Problem("chat_template", what, _("use a base model with a template you trust"))
