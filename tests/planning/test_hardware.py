"""Devices and prices are facts with a mark each; this machine is measured."""

import pytest

from foundry.core import shipped
from foundry.core.errors import RecipeError
from foundry.planning import hardware

MARKED = ("memory_gb", "bandwidth_gb_s", "tflops", "power_w", "host_power_w", "achievable")


def test_every_device_the_plan_speaks_of_is_there():
    files = list((shipped.root() / "configs" / "hardware").rglob("*.yaml"))

    assert set(hardware.load_devices()) == {path.stem for path in files}
    assert len(files) == 9


@pytest.mark.parametrize("name", hardware.load_devices())
def test_every_figure_of_a_device_says_how_well_it_is_known(name):
    device = hardware.find(name)

    assert set(device.marks) == {*MARKED, "rent_usd_per_hour"}
    assert device.achievable.low < device.achievable.expected < device.achievable.high < 1


def test_prices_name_their_source_and_date():
    prices = hardware.load_prices()

    assert prices.electricity_twd_per_kwh > 0
    assert all("20" in mark for mark in prices.marks.values())


def test_an_unknown_device_is_told_with_the_nearest():
    with pytest.raises(RecipeError, match="rtx-4090"):
        hardware.find("rtx4090")


def test_this_machine_is_measured():
    machine = hardware.find("this-machine")

    assert machine.marks["tflops"].startswith("X")
    assert 0.001 < machine.tflops.float32 < 100
    assert machine.memory_bytes > 2**30
