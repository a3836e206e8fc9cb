"""A signal is a request that the loop grants; the second Ctrl-C interrupts at once."""

import os
import signal
import threading

import pytest

from foundry.core.errors import InterruptedByUser, InterruptedRun
from foundry.train.signals import StopRequest, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_becomes_a_request(number: int):
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)

        assert stop.signal_number == number


def test_handlers_are_given_back():
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]

    with stop_on_signals():
        inside = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]

    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
    assert inside != before


def test_second_ctrl_c_interrupts_at_once():
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_after_a_request_to_end_is_another_request():
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

        assert stop.signal_number == signal.SIGINT


def test_thread_that_may_not_catch_signals_goes_without():
    seen: list[StopRequest] = []

    def work() -> None:
        with stop_on_signals() as stop:
            seen.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [StopRequest(None)]


@pytest.mark.parametrize(
    ("number", "kind", "exit_code"),
    [(signal.SIGTERM, InterruptedRun, 75), (signal.SIGINT, InterruptedByUser, 130)],
)
def test_exit_code_tells_who_stopped_the_run(
    number: int, kind: type[InterruptedRun], exit_code: int
):
    error = StopRequest(number).interrupted(7, 15)

    assert type(error) is kind
    assert error.exit_code == exit_code
    assert "stopped after step 7 of 15; the state is saved" in str(error)
