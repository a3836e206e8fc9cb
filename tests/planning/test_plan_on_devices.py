"""A plan for every device of configs/hardware: parts, hours, money, and what fits."""

import json
from dataclasses import replace

import pytest

from foundry.core import shipped
from foundry.core.errors import RecipeError
from foundry.core.load import load_recipe
from foundry.planning import fit, hardware, telling
from foundry.planning.cost import rates
from foundry.planning.estimate.rows import Rows
from foundry.planning.estimate.spread import exactly
from foundry.planning.forecast import LEFT_BY_DRIVER, forecast, known_rows, known_shape
from foundry.planning.preview import Preview
from foundry.train import capacity
from tests.cases import case, change
from tests.tiny_recipe import call

SHOP = "retail/customer-service"
ACCEPT = ("--accept-terms", "taide-g", "--accept-terms", "gemma")
TAIDE = (*ACCEPT, "--set", "base_model=gemma-3-taide-12b")
DEVICES = sorted(path.stem for path in (shipped.root() / "configs" / "hardware").rglob("*.yaml"))
PARTS = {"weights", "adapter", "gradients", "optimizer", "libraries"}


@pytest.fixture(scope="module")
def taide() -> tuple:
    """Recipe, shape and rows of the shop on TAIDE, which is gated and not on this machine."""
    loaded = load_recipe(SHOP, TAIDE[5:])
    return loaded, known_shape(loaded), known_rows(loaded)


def test_there_are_nine_devices():
    assert len(DEVICES) == 9


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_gated_base_is_planned_before_it_is_fetched(device: str, adapter: str, taide):
    _loaded, shape, rows = taide
    machine, settings = hardware.find(device), [*TAIDE[5:], f"adapter.kind={adapter}"]
    loaded, prices = load_recipe(SHOP, settings), rates(machine, hardware.load_prices())

    made = forecast(loaded, machine, prices, shape, rows)

    assert shape.origin == "configs/models"
    assert set(made.memory.parts) >= PARTS
    for bound in ("low", "expected", "high"):
        parts = [part.as_dict()[bound] for part in made.memory.parts.values()]
        assert made.memory.total.as_dict()[bound] == pytest.approx(sum(parts))
    assert 0 < made.cost.hours.low < made.cost.hours.high
    assert made.cost.electricity.expected > 0
    if not made.fits:
        edits = fit.edits_for(loaded, machine, prices)
        assert edits
        for edit in edits:
            again = load_recipe(SHOP, [*settings, *edit.settings])
            assert forecast(again, machine, prices, known_shape(again), known_rows(again)).fits


@pytest.mark.parametrize("device", ["rtx-4090", "h100-80g"])
def test_four_bits_take_less_memory(device: str, taide):
    _loaded, shape, rows = taide
    machine, prices = hardware.find(device), hardware.load_prices()
    peaks = {
        kind: forecast(
            load_recipe(SHOP, [*TAIDE[5:], f"adapter.kind={kind}"]),
            machine,
            rates(machine, prices),
            shape,
            rows,
        ).memory
        for kind in ("lora", "qlora")
    }

    weights = {kind: peak.parts["weights"].expected for kind, peak in peaks.items()}

    assert peaks["qlora"].total.expected < peaks["lora"].total.expected
    assert 0.25 < weights["qlora"] / weights["lora"] < 0.4  # 4.13 of 16 bits; the embedding stays


def test_what_does_not_fit_is_refused_with_flags_to_paste():
    outcome = call("plan", SHOP, "--on", "rtx-4060-ti-16g", *TAIDE)
    document = json.loads(call("plan", SHOP, "--on", "rtx-4060-ti-16g", "--json", *TAIDE).out)

    assert outcome.code == 3
    assert document["run"] is None
    assert (document["estimate"]["fits"], bool(document["edits"])) == (False, True)
    assert "--set " in outcome.err
    assert "GeForce RTX 4060 Ti" in outcome.out


def test_prices_can_be_given():
    options = ("--electricity", "10", "--rent", "100")
    outcome = call("plan", SHOP, "--on", "h200", "--json", *TAIDE, *options)
    cost = json.loads(outcome.out)["estimate"]["cost"]

    assert cost["electricity"]["expected"] == pytest.approx(10 * cost["kwh"]["expected"])
    assert cost["rent"]["expected"] == pytest.approx(100 * cost["hours"]["expected"])
    assert cost["rates"]["rent_from"] == "--rent"


@pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
def test_price_that_is_none_is_refused(price: float):
    device, prices = hardware.find("rtx-4090"), hardware.load_prices()

    with pytest.raises(RecipeError, match="--rent: must be a number of at least 0; got"):
        rates(device, prices, rent=price)


MANY = Rows(100_000, exactly(50), exactly(20), 64, "tokenizer")  # 2,000,000 tokens to learn


def planned(kind: str, rows: Rows, *settings: str) -> Preview:
    """The shop by an adapter, with rows as given."""
    loaded = load_recipe(SHOP, [f"adapter.kind={kind}", *settings])
    device = hardware.find("h100-80g")
    prices = rates(device, hardware.load_prices())
    made = forecast(loaded, device, prices, known_shape(loaded), rows)
    return Preview(made, device, (), None)


@case("C18", {"nobody compares": change(capacity, "warning", lambda trained, supervised: None)})
@pytest.mark.parametrize(
    ("kind", "settings", "advice"),
    [
        ("lora", ("adapter.rank=1",), "a higher `adapter.rank` may learn more"),
        ("ia3", (), "an adapter with more, such as `lora`, may learn more"),
        ("oft", ("adapter.block_size=4",), "an adapter with more, such as `lora`, may learn more"),
    ],
)
def test_more_tokens_than_numbers_are_warned_of(kind: str, settings: tuple[str, ...], advice: str):
    made = planned(kind, MANY, *settings)

    (warning,) = made.as_dict(load_recipe(SHOP))["warnings"]
    trained = made.forecast.job.trained_weights
    assert warning == {"code": "capacity", "trained": trained, "supervised": 2_000_000}
    (told,) = [one for one in telling.notes(made.forecast, made.device) if "2,000,000" in one]
    assert f"{trained:,}" in told and told.endswith(advice)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("lora", replace(MANY, count=100)), ("full", replace(MANY, supervised=exactly(10_000)))],
)
def test_an_update_with_room_and_all_weights_are_not_warned_of(kind: str, rows: Rows):
    made = planned(kind, rows)

    assert made.as_dict(load_recipe(SHOP))["warnings"] == []
    assert not any(
        "numbers are trained" in one for one in telling.notes(made.forecast, made.device)
    )


def test_all_weights_that_do_not_fit_are_offered_an_update_first():
    loaded = load_recipe(SHOP, ["adapter.kind=full", "train.pack_tokens=128"])
    device, prices = hardware.find("rtx-4090"), hardware.load_prices()
    known, rows = known_shape(loaded), known_rows(loaded)
    made = forecast(loaded, device, rates(device, prices), known, rows)
    usable = 0.9 * made.memory.total.expected / LEFT_BY_DRIVER
    small = device.model_copy(update={"memory_gb": usable / hardware.GB})

    edits = fit.edits_for(loaded, small, rates(small, prices))

    settings = [edit.settings for edit in edits]
    assert ("adapter.kind=lora",) in settings
    if ("adapter.kind=qlora",) in settings:
        assert settings.index(("adapter.kind=lora",)) < settings.index(("adapter.kind=qlora",))


@pytest.mark.parametrize("settings", [(), ("train.gradient_checkpointing=true",)])
def test_the_first_edit_that_is_enough_alone_is_offered_alone(settings):
    loaded = load_recipe(SHOP, ["base_model=gemma-3-12b-it", "train.micro_batch_size=8", *settings])
    device = hardware.find("a100-80g")
    prices = rates(device, hardware.load_prices())
    made = forecast(loaded, device, prices, known_shape(loaded), known_rows(loaded))
    lacking = 0.3 * made.memory.parts["activations"].expected
    usable = (made.memory.total.expected - lacking) / LEFT_BY_DRIVER
    small = device.model_copy(update={"memory_gb": usable / hardware.GB})

    edits = fit.edits_for(loaded, small, prices)

    assert len(edits[0].settings) == 1
    assert edits[0].settings[0].startswith("train.")


def test_the_table_speaks_chinese(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh-TW")

    outcome = call("plan", SHOP, "--on", "rtx-4090", *TAIDE)

    assert "記憶體" in outcome.out
    assert "小時" in outcome.out
