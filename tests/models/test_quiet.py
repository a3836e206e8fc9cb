"""What libraries say while they work is no data, and only errors are worth a person's time."""

import logging
import sys

import pytest

from foundry.models.quiet import quiet


def as_deepspeed_does() -> logging.Logger:
    """A logger that writes where stdout is and sets its own level."""
    made = logging.getLogger("a library of somebody's")
    made.setLevel(logging.WARNING)
    made.propagate = False
    made.addHandler(logging.StreamHandler(sys.stdout))
    return made


def test_nothing_that_a_library_says_is_taken_for_data(capsys: pytest.CaptureFixture[str]):
    with quiet():
        print("a banner")
        logger = as_deepspeed_does()
        logger.warning("no accelerator")
        logger.error("out of memory")
    out, err = capsys.readouterr()

    assert out == ""
    assert err == "a banner\nout of memory\n"


def test_afterwards_a_warning_is_heard_again(caplog: pytest.LogCaptureFixture):
    with quiet(), quiet():
        pass

    logging.getLogger("ours").warning("told")

    assert caplog.messages == ["told"]
