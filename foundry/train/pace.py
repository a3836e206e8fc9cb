"""How fast the steps go: tokens a second, and the seconds that the rest will take."""

import time
from collections import deque
from collections.abc import Callable
from statistics import median

WINDOW = 50  # steps looked at; rows are drawn anew for each, so lengths even out over some


class Pace:
    """Times each step by a clock that never goes back; what lies between two steps is no step.

    So evaluation and checkpoints do not count, nor does the first step, which warms up. One step
    that was held up changes nothing, since the median of the last steps is taken.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_warm = False
        self._begun = (0.0, 0)
        self._seconds = deque[float](maxlen=WINDOW)
        self._tokens = deque[int](maxlen=WINDOW)

    def begin(self, tokens: int) -> None:
        """A step begins; `tokens` went through the model before."""
        self._begun = (self._clock(), tokens)

    def end(self, tokens: int) -> None:
        """The step ends; `tokens` went through the model by now."""
        then, before = self._begun
        if self._is_warm:
            self._seconds.append(self._clock() - then)
            self._tokens.append(tokens - before)
        self._is_warm = True

    def left(self, steps: int) -> dict[str, float]:
        """`tokens_per_s`, and `eta_s` for `steps` more; empty before the second step."""
        seconds = sum(self._seconds)
        if seconds <= 0:
            return {}
        return {
            "tokens_per_s": round(sum(self._tokens) / seconds, 1),
            "eta_s": round(median(self._seconds) * steps, 1),
        }
