"""What hours cost: energy in kWh, NT$ for electricity, NT$ where the machine is rented."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.records import Record
from foundry.planning.estimate.spread import Spread
from foundry.planning.hardware import Device, Prices

# A processor under load draws about this share of its rated power; assumed.
LOAD = 0.85


@dataclass(frozen=True)
class Rates(Record):
    """NT$ for a kWh and for a rented hour, and where each is from. `rent` is None without offer."""

    electricity: float
    rent: float | None
    electricity_from: str
    rent_from: str


@dataclass(frozen=True)
class Cost(Record):
    """Hours, energy and money of a training.

    `electricity` is paid by who owns the machine, `rent` instead of it by who does not.
    """

    hours: Spread
    kwh: Spread
    electricity: Spread
    rent: Spread | None
    rates: Rates


def rates(
    device: Device, prices: Prices, *, electricity: float | None = None, rent: float | None = None
) -> Rates:
    """The prices that hold for a device, those given by the user first.

    Args:
        device: What trains.
        prices: Those of configs/prices/.
        electricity: NT$ for a kWh, if the user knows better.
        rent: NT$ for an hour, if the user knows better.

    Raises:
        RecipeError: A price is negative, or no number.
    """
    _refuse_prices({"--electricity": electricity, "--rent": rent})
    offered = device.rent_usd_per_hour
    rent_from = device.marks.get("rent_usd_per_hour", "N")
    if rent is None and offered is not None:
        rent = round(offered * prices.twd_per_usd, 2)
        rent_from = f"{rent_from}; {prices.twd_per_usd} NT$/US$: {prices.marks['twd_per_usd']}"
    elif rent is not None:
        rent_from = "--rent"
    marks = prices.marks["electricity_twd_per_kwh"]
    return Rates(
        electricity=prices.electricity_twd_per_kwh if electricity is None else electricity,
        rent=rent,
        electricity_from=marks if electricity is None else "--electricity",
        rent_from=rent_from,
    )


def _refuse_prices(given: Mapping[str, float | None]) -> None:
    wanted = _("a number of at least 0")
    problems = [
        Problem(option, _("must be {wanted}; got {found}").format(wanted=wanted, found=price), None)
        for option, price in given.items()
        if price is not None and not 0 <= price < math.inf
    ]
    if problems:
        raise RecipeError(problems)


def cost(seconds: Spread, device: Device, rates: Rates, count: int = 1) -> Cost:
    """What a training of so many seconds takes on so many of a device."""
    hours = seconds.times(1 / 3600, 1 / 3600, 1 / 3600)
    kilowatts = count * (device.power_w * LOAD + device.host_power_w) / 1000
    kwh = hours.times(kilowatts, kilowatts, kilowatts)
    return Cost(
        hours=hours,
        kwh=kwh,
        electricity=kwh.times(*(rates.electricity,) * 3),
        rent=None if rates.rent is None else hours.times(*(count * rates.rent,) * 3),
        rates=rates,
    )
