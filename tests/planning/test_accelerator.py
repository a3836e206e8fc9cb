"""What a plan makes of a GPU: device, number type, optimizer, and what it does where it is small.

The cards are described, so that all of it is decided without one.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch

from foundry.core.errors import ResourceError
from foundry.core.load import LoadedRecipe, load_recipe
from foundry.planning import accelerator, cost, forecast, hardware, plan, resolve
from foundry.planning.accelerator import Card, Look
from foundry.planning.estimate.job import job_of
from foundry.planning.estimate.memory import memory
from foundry.planning.forecast import Forecast, known_rows, known_shape
from foundry.planning.refusals import check_device
from tests.cases import case, change

SHOP = "retail/customer-service"
H100 = Card("NVIDIA H100 80GB HBM3", 85_000_000_000, has_bfloat16=True, is_unified=False)
T4 = Card("Tesla T4", 15_800_000_000, has_bfloat16=False, is_unified=False)
ON_CPU, ON_H100, ON_T4 = Look(None, "2.13.0"), Look(H100, "2.13.0"), Look(T4, "2.13.0")


def shop(*settings: str) -> LoadedRecipe:
    return load_recipe(SHOP, settings)


@pytest.mark.parametrize(
    ("machine", "device", "dtype", "pack"),
    [
        (ON_CPU, "cpu", "float32", 512),
        (ON_H100, "cuda", "bfloat16", 4096),
        (ON_T4, "cuda", "float32", 4096),  # bfloat16 would be imitated, and slower than float32
    ],
)
def test_plan_computes_in_what_the_device_computes_itself(machine, device, dtype, pack):
    settled, reasons = resolve.resolve(shop("train.pack_tokens=auto"), machine)

    assert (settled["device"], settled["dtype"], settled["pack_tokens"]) == (device, dtype, pack)
    assert (settled["optimizer"], settled["gradient_checkpointing"]) == ("adamw", False)
    assert {f"resolved.{key}" for key in settled} == set(reasons)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (ON_H100, "torch finds NVIDIA H100 80GB HBM3, 79.2 GiB"),
        (ON_CPU, "torch 2.13.0 finds no GPU"),
        (Look(None, None), "torch is not installed"),
        (Look(None, "2.13.0", "no kernel image"), "cannot use the GPU (no kernel image)"),
    ],
)
def test_plan_says_why_it_is_this_device(machine, said):
    _settled, reasons = resolve.resolve(shop(), machine)

    assert said in reasons["resolved.device"]


def test_what_the_recipe_says_stands():
    said = (
        "train.dtype=float32",
        "train.optimizer=adamw-8bit",
        "train.gradient_checkpointing=true",
    )

    settled, reasons = resolve.resolve(shop(*said), ON_H100)

    assert settled["dtype"] == "float32"
    assert settled["optimizer"] == "adamw-8bit"
    assert settled["gradient_checkpointing"] is True
    assert reasons["resolved.dtype"] == "--set train.dtype"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_torch_of_a_machine_without_a_gpu_is_believed():
    found = accelerator.look()

    assert (found.card, found.torch, found.fault) == (None, torch.__version__, None)


@pytest.mark.parametrize(("devices", "found"), [(("/dev/null",), True), (("/dev/none",), False)])
def test_torch_is_asked_only_where_a_driver_is(devices, found, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(accelerator, "DEVICES", devices)
    monkeypatch.setattr(accelerator.sys, "platform", "linux")

    assert accelerator.has_device() is found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_card_of_this_machine_is_planned_for():
    machine = hardware.this_machine()

    assert machine.backend == "cuda"
    assert machine.card == torch.cuda.get_device_name(0)
    assert machine.memory_bytes == torch.cuda.get_device_properties(0).total_memory


def test_known_card_has_the_figures_of_its_file_and_its_own_memory():
    machine = hardware.of_card(H100)
    known = hardware.find("h100-80g")

    assert machine.name == hardware.THIS_MACHINE
    assert machine.memory_bytes == H100.memory_bytes
    assert (machine.tflops, machine.power_w) == (known.tflops, known.power_w)
    assert machine.marks["tflops"] == known.marks["tflops"]
    assert machine.number_type == "bfloat16"


def test_unknown_card_is_taken_for_the_nearest_and_says_so():
    machine = hardware.of_card(T4)

    assert machine.power_w == hardware.find("rtx-4060-ti-16g").power_w
    assert machine.marks["power_w"] == "? assumed, that of rtx-4060-ti-16g"
    assert machine.marks["memory_gb"] == "X told by torch"
    assert machine.number_type == "float32"


def test_no_two_devices_are_the_same_card():
    names = [one.card for one in hardware.load_devices().values() if one.card is not None]

    assert len(set(names)) == len(names) == 8


def on(card: Card, loaded: LoadedRecipe, memory_bytes: float | None = None) -> Forecast:
    """The forecast on a card, of another size if one is given."""
    sized = replace(card, memory_bytes=int(memory_bytes or card.memory_bytes))
    device = hardware.of_card(sized)
    rates = cost.rates(device, hardware.load_prices())
    return forecast.forecast(loaded, device, rates, known_shape(loaded), known_rows(loaded))


def needs(loaded: LoadedRecipe, **settings: Any) -> float:
    """Bytes at most on a GPU, with settings for what the recipe leaves open, and a little more."""
    device = hardware.of_card(H100)
    asked = job_of(loaded, known_shape(loaded), known_rows(loaded), device)
    high = memory(replace(asked, **settings), "cuda").total.high
    return 1.01 * high / forecast.LEFT_BY_DRIVER


def nothing_is_open(_loaded: LoadedRecipe) -> set[str]:
    return set()


SHUT = {"nothing is open": change(forecast, "open_settings", nothing_is_open)}
PACK = "train.pack_tokens=4096"  # so that only checkpointing is left to make it fit


@case("C69", SHUT)
def test_activations_are_computed_twice_only_where_they_do_not_fit_otherwise():
    loaded = shop(PACK, "base_model=gemma-3-12b-it")
    small = needs(loaded, gradient_checkpointing=True)

    assert small < needs(loaded)
    assert on(H100, loaded).job.gradient_checkpointing is False
    assert on(H100, loaded, small).job.gradient_checkpointing is True
    assert on(H100, loaded, small).fits


def test_recipe_that_forbids_it_has_no_activations_computed_twice():
    loaded = shop(PACK, "base_model=gemma-3-12b-it", "train.gradient_checkpointing=false")

    assert on(H100, loaded, 20e9).job.gradient_checkpointing is False


@case("C69", SHUT)
def test_moments_are_in_eight_bits_only_where_all_weights_train_and_they_do_not_fit_otherwise():
    loaded = load_recipe(SHOP, ["adapter={kind: full}", PACK, "exports=[{kind: merged}]"])
    least = {"gradient_checkpointing": True, "optimizer": "adamw-8bit"}
    small = needs(loaded, **least)

    assert small < needs(loaded, gradient_checkpointing=True)
    assert on(H100, loaded).job.optimizer == "adamw"
    found = on(H100, loaded, small)
    assert (found.job.optimizer, found.job.gradient_checkpointing) == ("adamw-8bit", True)
    assert on(H100, shop(PACK), 1e9).job.optimizer == "adamw"  # an update's moments are small


def test_what_was_found_to_fit_is_in_the_plan_with_its_reason(recipe, monkeypatch):
    loaded = load_recipe(str(recipe.file))
    made = plan.settle(loaded, ("unknown",))
    job = {"pack_tokens": 256, "gradient_checkpointing": True, "optimizer": "adamw-8bit"}
    job["strategy"] = "fsdp2"

    found = plan.fitted(made, {"job": job})

    assert {key: found.resolved[key] for key in job} == job
    assert "do not fit" in found.origins["resolved.gradient_checkpointing"]
    assert "do not fit" in found.origins["resolved.optimizer"]
    assert plan.fitted(made, {}) == made


def test_eight_bits_on_a_processor_and_bfloat16_on_a_card_without_it_are_refused_before_loading():
    with pytest.raises(ResourceError, match="needs a GPU"):
        check_device(shop("train.optimizer=adamw-8bit"), "cpu")
    with pytest.raises(ResourceError, match="does not compute bfloat16"):
        check_device(shop("train.dtype=bfloat16"), "cuda", has_bfloat16=False)
    check_device(shop("train.optimizer=adamw-8bit", "train.dtype=bfloat16"), "cuda")
    check_device(shop("train.dtype=bfloat16"), "cpu", has_bfloat16=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_eight_bits_are_refused_by_the_command_before_anything_is_written(recipe):
    outcome = recipe.train("--set", "train.optimizer=adamw-8bit")

    assert outcome.code == 3
    assert "train.optimizer" in outcome.err or "--set" in outcome.err
    assert "needs a GPU" in outcome.err
    assert not recipe.runs.exists()
