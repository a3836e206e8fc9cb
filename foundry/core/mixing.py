"""The `data.mix` block: how often the rows of each source are trained on."""

from typing import Annotated, Literal

from pydantic import Field

from foundry.core.fields import Closed, Number, Seed


class Mix(Closed):
    """How often the rows of each source are trained on in an epoch; see `data/mixture.py`."""

    temperature: Number | None = Field(
        None,
        ge=1,
        le=100,
        description="Without weights: a source of n rows has a share in proportion to "
        "n^(1/temperature); 1 leaves the sizes as they are, more makes the sources more alike.",
    )
    rows: Literal["all", "once"] | Annotated[int, Field(ge=1)] = Field(
        "all",
        description="`all`: each row at least once, and those of a source with a larger share "
        "again; `once`: no row twice, and what is too much of a source left out; or how many rows.",
    )
    seed: Seed = Field(0, description="Which rows are used once more, or left out.")
