"""The recipe's `compute` block."""

from typing import Annotated, Literal

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.use import Country


class Compute(Closed):
    """The processes that train on this machine, how they share the model, and where it stands.

    None of it changes the result, but that dropout is drawn in each process by itself: a step is
    the same rows on any number of them.
    """

    processes: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = Field(
        "auto", description="How many; `auto` is one for each GPU, and one on a processor."
    )
    strategy: Literal["auto", "single", "ddp", "fsdp2", "deepspeed"] = Field(
        "auto",
        description="`ddp`: each process holds the whole model; `fsdp2`: each holds a part of "
        "every layer; `deepspeed`: each holds the whole model and a part of what the optimizer "
        "keeps (ZeRO-2); `single`: there is one process. `auto` is `ddp` where the plan finds that "
        "the model fits each process, else `fsdp2`.",
    )
    country: Country | None = Field(
        None,
        description="ISO 3166-1 code of the country that the machine stands in, for the record; "
        "`FOUNDRY_COUNTRY` of a machine's environment comes first. Never guessed.",
    )
