"""The GPU of this machine, if training can use one: torch is asked, since torch computes on it."""

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from foundry.core import environment
from foundry.core.language import gettext as _
from foundry.core.sizes import GIB

# What a driver puts up on Linux for a card of NVIDIA, one of a Jetson, one under WSL, one of AMD.
DEVICES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvmap", "/dev/dxg", "/dev/kfd")


@dataclass(frozen=True)
class Card:
    """The first GPU that torch sees; `CUDA_VISIBLE_DEVICES` decides which that is.

    Attributes:
        name: As torch calls it.
        memory_bytes: All of its memory.
        has_bfloat16: Whether it computes bfloat16 itself, which cards before Ampere do not.
        is_unified: Whether the operating system lives in its memory too.
    """

    name: str
    memory_bytes: int
    has_bfloat16: bool
    is_unified: bool


@dataclass(frozen=True)
class Look:
    """What was found: a card, or a torch that cannot use one, with its own words where it failed.

    `torch` is its version, None where it is not installed; `cards` are how many it can use.
    """

    card: Card | None
    torch: str | None
    fault: str | None = None
    cards: int = 0

    @property
    def backend(self) -> str:
        """What training computes on: `cuda` or `cpu`."""
        return "cpu" if self.card is None else "cuda"

    @property
    def reason(self) -> str:
        """Why training computes there, in a sentence."""
        if self.card is not None:
            said = _("computed: torch finds {name}, {gib:.1f} GiB")
            return said.format(name=self.card.name, gib=self.card.memory_bytes / GIB)
        if self.torch is None:
            return _("computed: torch is not installed")
        if self.fault is not None:
            said = _("computed: torch {version} cannot use the GPU ({fault})")
            return said.format(version=self.torch, fault=self.fault)
        return _("computed: torch {version} finds no GPU").format(version=self.torch)


@cache
def look() -> Look:
    """Ask torch, once a process; a card that it sees and cannot compute on is none.

    It is not loaded, which takes 1.4 s, where the system has no device that it could find.
    """
    version = environment.installed("torch")
    if version is None or not has_device():
        return Look(None, version)
    import torch

    if not torch.cuda.is_available():
        return Look(None, version)
    try:
        float(torch.ones(2, 2, device="cuda:0").mm(torch.ones(2, 2, device="cuda:0")).sum())
    except RuntimeError as error:  # no code for a card of its age, or no memory left on it
        return Look(None, version, str(error).strip().splitlines()[0])
    found = torch.cuda.get_device_properties(0)
    card = Card(
        name=found.name,
        memory_bytes=found.total_memory,
        has_bfloat16=torch.cuda.is_bf16_supported(including_emulation=False),
        is_unified=bool(found.is_integrated),
    )
    return Look(card, version, cards=torch.cuda.device_count())


def has_device() -> bool:
    """Whether a driver of a GPU is there; on systems other than Linux torch has to say."""
    return sys.platform != "linux" or any(Path(device).exists() for device in DEVICES)
