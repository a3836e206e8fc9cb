"""The time left follows the usual step, not the first one nor what lies between two steps."""

from foundry.train.pace import WINDOW, Pace


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def after(*steps: float, between: float = 0.0, tokens: int = 10) -> Pace:
    """The pace after steps of so many seconds."""
    clock, done = Clock(), 0
    pace = Pace(clock)
    for seconds in steps:
        pace.begin(done)
        clock.now += seconds
        done += tokens
        pace.end(done)
        clock.now += between
    return pace


def test_first_step_says_nothing():
    assert after().left(9) == after(5.0).left(9) == {}


def test_first_step_is_not_counted():
    assert after(50.0, 2.0, 2.0).left(3) == {"tokens_per_s": 5.0, "eta_s": 6.0}


def test_evaluation_between_two_steps_is_not_counted():
    assert after(1.0, 2.0, 2.0, between=600.0).left(3) == {"tokens_per_s": 5.0, "eta_s": 6.0}


def test_one_step_that_was_held_up_does_not_move_the_end():
    assert after(1.0, 2.0, 2.0, 300.0, 2.0, 2.0).left(10)["eta_s"] == 20.0


def test_old_steps_are_forgotten():
    slow_then_fast = [9.0] * WINDOW + [1.0] * WINDOW

    assert after(1.0, *slow_then_fast).left(10) == {"tokens_per_s": 10.0, "eta_s": 10.0}
