"""What a mutant is: a fault in the product's own functions, and the proof that must refuse it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """A named fault.

    `fault` says what is broken; `start` is the stage from which the chain runs; `kind`, `where`
    and `says` are what the error must hold, so that the right proof refuses.
    """

    fault: str
    apply: Callable[[Patch], None]
    start: str
    where: str
    says: str
    kind: str = "proof"
