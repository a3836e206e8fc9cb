"""The same events on a terminal, in a pipe and in a log: a bar, or plain lines, never both."""

import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from foundry.cli.progress.lines import STEP_EVERY_S, lines
from foundry.cli.progress.shown import shown

STEPS = 4
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def step(number: int) -> dict[str, object]:
    """A step of training as the stream has it."""
    return {"stage": "train", "event": "step", "step": number, "of": STEPS, "loss": 1.5}


@contextmanager
def terminal() -> Iterator[int]:
    """Make stderr a terminal; gives the end to read what is drawn from."""
    reader, writer = pty.openpty()
    stderr = sys.stderr
    with open(writer, "w", encoding="utf-8") as sys.stderr:
        try:
            yield reader
        finally:
            sys.stderr = stderr


def drawn() -> str:
    """What `shown` draws of a short training on a terminal."""
    with terminal() as reader, shown() as listener:
        listener({"stage": "train", "event": "begin"})
        for number in range(1, STEPS + 1):
            listener(step(number))
    text = bytearray()
    with suppress(OSError):  # EIO: the writer has gone and everything is read
        while piece := os.read(reader, 1 << 16):
            text += piece
    os.close(reader)
    return text.decode()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_terminal_gets_a_bar_with_lines_above_it():
    text = drawn()

    assert "\x1b[" in text  # the cursor moves
    assert "training: begins" in text
    assert "training: step 4 of 4, loss 1.500" in text


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "unknown"), ("TERM", "")]
)
def test_terminal_that_wants_plain_text_gets_no_control_code(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    text = drawn().replace("\r\n", "\n")  # the terminal's own line end

    assert not CONTROL.search(text)
    assert text.splitlines() == [
        "training: begins",
        "training: step 1 of 4, loss 1.500",
        "training: step 4 of 4, loss 1.500",
    ]


def test_bar_is_no_wider_than_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")

    lines_drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn()).replace("\r", "\n").split("\n")

    bars = [line for line in lines_drawn if "━" in line]
    assert bars
    assert max(map(len, bars)) <= 30


@pytest.mark.parametrize("columns", ["20", "80"])
def test_pipe_gets_whole_lines_without_control_codes(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")

    with shown() as listener:
        listener(step(1))

    assert capsys.readouterr().err == "training: step 1 of 4, loss 1.500\n"


def test_line_of_a_step_comes_every_few_seconds_and_at_the_end(capsys):
    now = 0.0
    show = lines(clock=lambda: now)

    for number in range(1, STEPS + 1):
        now = {1: 0.0, 2: STEP_EVERY_S - 0.1, 3: STEP_EVERY_S, 4: STEP_EVERY_S + 0.1}[number]
        show(step(number))

    said = re.findall(r"step (\d)", capsys.readouterr().err)
    assert said == ["1", "3", "4"]


def test_terminal_that_has_gone_stops_nothing():
    with terminal() as reader:
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stderr.fileno())

        with shown() as listener:
            listener({"stage": "train", "event": "begin"})
            listener(step(1))
    os.close(reader)
