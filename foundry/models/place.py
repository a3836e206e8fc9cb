"""Where a model lies while it trains: beside the processor, or on a GPU."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Device = Literal["cpu", "cuda"]
NumberType = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Place:
    """The device, and the numbers in which its weights are held there.

    What trains is float32 whatever is said here (C23).
    """

    device: Device = "cpu"
    weights: NumberType = "float32"

    @property
    def is_gpu(self) -> bool:
        """Whether it is not the processor."""
        return self.device != "cpu"

    @property
    def name(self) -> str:
        """As torch and transformers compare it with their own: a GPU with its number."""
        return "cuda:0" if self.is_gpu else "cpu"


CPU = Place()


def place_of(resolved: Mapping[str, Any], trained: str) -> Place:
    """Where a plan trains.

    On a GPU a frozen base is held in the numbers that it is computed in, as Dettmers et al. (2023),
    https://arxiv.org/abs/2305.14314, section 3, hold theirs. Weights that train themselves are
    float32, and cast for each product (Micikevicius et al. 2018, "Mixed Precision Training",
    https://arxiv.org/abs/1710.03740, section 3.1). On the CPU all are float32.

    Args:
        resolved: Of the plan; `device` and `dtype` are read.
        trained: `update` or `weights`, as the adapter has it.
    """
    if resolved["device"] == "cpu":
        return CPU
    is_half = trained == "update" and resolved["dtype"] == "bfloat16"
    return Place("cuda", "bfloat16" if is_half else "float32")
