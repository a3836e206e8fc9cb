"""What every block of a recipe is made of: a closed frozen model, numbers, lists, refusals.

A plug-in's `Spec` is a `Closed` model too, so that an unknown key is an error at every depth.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundry.core import scalars

T = TypeVar("T")


class Closed(BaseModel):
    """A value that cannot change and has no keys but its own; text is never read as a number."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Refused(ValueError):
    """Raised by a validator of a `Spec`: what is wrong and the edit that puts it right.

    The loader adds the place. A plain ValueError works too, without a fix.
    """

    def __init__(self, what: str, fix: str | None = None) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)


def _read_number(value: Any) -> Any:
    """Let `"1e-4"` in quotes be the number that whoever wrote it meant (cases.md C62)."""
    if isinstance(value, str) and scalars.NUMBER.fullmatch(value):
        return float(value)
    return value


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A hash in hex."""

Number = Annotated[float, BeforeValidator(_read_number)]
"""A finite real number; a whole number and a number in quotes are accepted."""

Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list, kept as a tuple because values are frozen."""

LARGEST_SEED = 2**32 - 1  # numpy.random.seed takes 32 bits

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
"""A seed of random numbers."""
