"""Machines that a recipe may be planned for: those of configs/hardware/, and this one, measured.

Facts of other machines are their vendors' and third parties'; each has a mark that says how well
it is known. Peaks are dense, with float32 accumulation; what training reaches of them is
`achievable`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from foundry.core import environment, facts, shipped
from foundry.core.fields import Closed, Number
from foundry.core.language import gettext as _
from foundry.core.recipe import Text
from foundry.planning import accelerator
from foundry.planning.accelerator import Card

THIS_MACHINE = "this-machine"
GB = 10**9

Positive = Annotated[Number, Field(gt=0)]
NumberType = Literal["float32", "bfloat16"]


class Range(Closed):
    """A value that is not known exactly."""

    low: Positive
    expected: Positive
    high: Positive


class Peak(Closed):
    """10^12 floating-point operations a second in dense matrix products."""

    float32: Positive
    bfloat16: Positive

    def of(self, dtype: str) -> float:
        """The peak in a number type."""
        return self.bfloat16 if dtype == "bfloat16" else self.float32


class Device(facts.Fact):
    """One machine with one processor or accelerator that trains."""

    title: Text
    backend: Literal["cuda", "cpu"] = Field(description="What torch computes on.")
    memory_gb: Positive = Field(description="Memory that training may use, in 10^9 bytes.")
    unified_memory: bool = Field(description="Whether the operating system lives in it too.")
    bandwidth_gb_s: Positive = Field(description="Memory traffic, 10^9 bytes a second.")
    tflops: Peak
    power_w: Positive = Field(description="Draw of the processor or accelerator under load.")
    host_power_w: Annotated[Number, Field(ge=0)] = Field(description="Draw of what is around it.")
    achievable: Range = Field(description="Share of the peak that training reaches.")
    rent_usd_per_hour: Positive | None = Field(description="Price in a data centre; null: none.")
    note: Text | None = None
    card: str | None = Field(None, description="What torch calls it; null: it is no single card.")
    has_bfloat16: bool = Field(True, description="Whether it computes bfloat16 itself.")

    @property
    def number_type(self) -> NumberType:
        """What matrix products are made in where a recipe leaves it open."""
        return "bfloat16" if self.backend == "cuda" and self.has_bfloat16 else "float32"

    @property
    def memory_bytes(self) -> int:
        """Memory that training may use."""
        return int(self.memory_gb * GB)


@cache
def load_devices() -> Mapping[str, Device]:
    """Every device of configs/hardware/ by name.

    Raises:
        RecipeError: A file is wrong; each problem with file, line and key.
    """
    return facts.read_folder(shipped.root() / "configs" / "hardware", Device)


def find(name: str) -> Device:
    """The device called `name`; `this-machine` is measured.

    Raises:
        RecipeError: There is none; names the nearest.
    """
    if name == THIS_MACHINE:
        return this_machine()
    devices = load_devices()
    if name not in devices:
        known = ", ".join([THIS_MACHINE, *devices])
        what = _("no such device in configs/hardware")
        fix = _("use one of {names}").format(names=known)
        raise facts.unknown_name(name, devices, what, fix)
    return devices[name]


@cache
def this_machine() -> Device:
    """This computer: its GPU, if it has one that training can use, else its processor."""
    card = accelerator.look().card
    return _processor() if card is None else of_card(card)


def of_card(card: Card) -> Device:
    """A GPU of this computer: memory as torch tells it, the rest as configs/hardware knows it.

    A card that is in no file is taken for the one nearest in memory, and each figure is marked so.
    """
    cards = [device for device in load_devices().values() if device.backend == "cuda"]
    known = next((one for one in cards if one.card == card.name), None)
    like = known or min(cards, key=lambda one: abs(one.memory_bytes - card.memory_bytes))
    assumed = dict.fromkeys(like.marks, f"? assumed, that of {like.name}")
    told = {"memory_gb": "X told by torch", "rent_usd_per_hour": "N"}
    return like.model_copy(
        update={
            "name": THIS_MACHINE,
            "title": Text(zh_TW=card.name, en=card.name),
            "memory_gb": card.memory_bytes / GB,
            "unified_memory": card.is_unified,
            "has_bfloat16": card.has_bfloat16,
            "card": card.name,
            "rent_usd_per_hour": None,
            "note": None,
            "marks": {**(assumed if known is None else like.marks), **told},
        }
    )


def _processor() -> Device:
    """Memory and matrix products as measured, the rest as of a laptop.

    Measured once a process; other work on the machine makes the figures lower, as it would make
    training slower.
    """
    from foundry.planning.measure import gemm_tflops, memory_gb_s

    laptop = load_devices()["cpu-laptop"]
    memory = environment.memory_bytes() or laptop.memory_bytes
    rates = {dtype: gemm_tflops(dtype) for dtype in ("float32", "bfloat16")}
    measured = None not in rates.values()
    title = f"{environment.cpu_name()}, {environment.cores()} cores"
    return Device(
        name=THIS_MACHINE,
        title=Text(zh_TW=f"{environment.cpu_name()}，{environment.cores()} 核心", en=title),
        backend="cpu",
        memory_gb=memory / GB,
        unified_memory=True,
        bandwidth_gb_s=memory_gb_s() or laptop.bandwidth_gb_s,
        tflops=Peak.model_validate(rates) if measured else laptop.tflops,
        power_w=laptop.power_w,
        host_power_w=laptop.host_power_w,
        achievable=laptop.achievable,
        rent_usd_per_hour=None,
        marks={
            "memory_gb": "X read from the system",
            "tflops": "X matrix products, just now" if measured else "? torch is not installed",
            "bandwidth_gb_s": "X copies, just now" if measured else "? assumed",
            "power_w": "? assumed, that of a laptop",
            "achievable": laptop.marks["achievable"],
        },
    )


class Prices(facts.Fact):
    """What energy and a rented hour cost."""

    title: Text
    electricity_twd_per_kwh: Positive
    twd_per_usd: Positive


@cache
def load_prices() -> Prices:
    """The prices of configs/prices/taiwan.yaml."""
    return facts.read_folder(shipped.root() / "configs" / "prices", Prices)["taiwan"]
