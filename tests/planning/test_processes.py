"""How many processes train, and how they share the model, is settled or refused in the plan."""

from collections.abc import Mapping
from typing import Any

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.core.load import LoadedRecipe, load_recipe
from foundry.planning import hardware, processes
from foundry.planning.accelerator import Card, Look
from foundry.planning.cost import rates
from foundry.planning.estimate import memory as estimate
from foundry.planning.forecast import Forecast, forecast, known_rows, known_shape
from foundry.planning.plan import make_plan
from foundry.train.processes import zero
from foundry.train.trainers import orpo
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe

SHOP, TAIDE = "retail/customer-service", ["base_model=gemma-3-taide-12b"]
CARD = Card("a card", 80 * 2**30, has_bfloat16=True, is_unified=False)
FOUR_CARDS, NO_CARD = Look(CARD, "2.13.0", cards=4), Look(None, "2.13.0")
settled = processes.processes


def as_single(loaded: LoadedRecipe, machine: Look) -> Any:
    """What is asked of one process is dropped without a word."""
    made, reasons = settled(loaded, machine)
    return made | ({"strategy": "single"} if made["world_size"] == 1 else {}), reasons


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.environment, "cores", lambda: 2)


@pytest.mark.parametrize(
    ("settings", "machine", "expected"),
    [
        ([], NO_CARD, (1, "single")),
        (["compute.processes=2"], NO_CARD, (2, "ddp")),
        ([], FOUR_CARDS, (4, "ddp")),
        (["train.global_batch_size=3"], FOUR_CARDS, (3, "ddp")),
        (["compute.processes=2"], FOUR_CARDS, (2, "ddp")),
        (["compute.strategy=single"], FOUR_CARDS, (1, "single")),
        (["compute.strategy=fsdp2"], FOUR_CARDS, (4, "fsdp2")),
    ],
)
def test_auto_is_one_process_for_each_card(settings: list[str], machine: Look, expected: tuple):
    loaded = load_recipe(SHOP, settings)

    made, reasons = processes.processes(loaded, machine)
    processes.check_processes(loaded, machine)
    processes.check_room(loaded, machine)

    assert (made["world_size"], made["strategy"]) == expected
    assert set(reasons) == {"resolved.world_size", "resolved.strategy"}


def test_reason_names_what_differs_on_many_processes():
    asked = (load_recipe(SHOP, [f"adapter.dropout={share}"]) for share in (0.1, 0))

    dropped, kept = (processes.processes(one, FOUR_CARDS)[1] for one in asked)

    assert dropped["resolved.world_size"].endswith("; dropout is drawn in each by itself")
    assert kept["resolved.world_size"] == "computed: one process for each GPU"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["processes=1", "strategy=ddp"],
            "compute.strategy: `ddp` shares a model among",
        ),
        (["processes=2", "strategy=single"], "compute.strategy: `single` is one process"),
        (["processes=2", "strategy=fsdp2"], "compute.strategy: `fsdp2` is for the adapters `lora`"),
        (
            ["processes=2", "strategy=deepspeed"],
            "compute.strategy: `deepspeed` is for the adapters `lora`, `rslora`, `full`",
        ),
        (["processes=9"], "compute.processes: 9 processes for 8 rows in a step"),
    ],
)
def test_contradiction_is_a_fault_of_the_recipe(settings: list[str], said: str):
    loaded = load_recipe(SHOP, ["adapter.kind=dora", *(f"compute.{one}" for one in settings)])

    with pytest.raises(RecipeError, match=said):
        processes.check_processes(loaded, NO_CARD)


@case("C72", {"it is taken for `single`": change(processes, "processes", as_single)})
def test_strategy_that_one_device_cannot_have_is_refused_and_an_open_one_goes_on():
    asked = load_recipe(SHOP, ["compute.strategy=fsdp2"])
    fixed = "set `compute.processes` to 2 or more, or `compute.strategy` to `auto`"

    with pytest.raises(RecipeError, match=fixed) as error:
        processes.check_processes(asked, NO_CARD)

    assert "compute.strategy: `fsdp2` shares a model among processes" in str(error.value)
    processes.check_processes(asked, FOUR_CARDS)
    processes.check_processes(load_recipe(SHOP), NO_CARD)


def test_trainer_that_works_alone_is_told_to_leave_the_strategy_open(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delattr(orpo, "MANY_PROCESSES")
    asked = load_recipe(SHOP, ["train.kind=orpo", "compute.strategy=ddp"])

    with pytest.raises(RecipeError, match=r"`ddp` .*\n  fix: set it to `auto`"):
        processes.check_processes(asked, FOUR_CARDS)


@pytest.mark.parametrize(
    ("trainer", "strategy", "said"),
    [
        ("dpo", "fsdp2", "compute.strategy: the trainer `dpo` needs the whole model in each"),
        ("kto", "fsdp2", "compute.strategy: the trainer `kto` needs the whole model in each"),
        ("dpo", "deepspeed", "compute.strategy: the trainer `dpo` is not for `deepspeed`"),
        ("orpo", "ddp", "compute.processes: the trainer `orpo` works in one process"),
    ],
)
def test_trainer_that_cannot_be_shared_so_is_refused(
    trainer: str, strategy: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    """`orpo` as a trainer of somebody else's, which says nothing of processes."""
    monkeypatch.delattr(orpo, "MANY_PROCESSES")
    settings = [f"train.kind={trainer}", "compute.processes=2", f"compute.strategy={strategy}"]

    with pytest.raises(RecipeError, match=said):
        processes.check_processes(load_recipe(SHOP, settings), NO_CARD)


def test_pairs_are_not_held_in_parts_by_themselves():
    loaded = load_recipe(SHOP, ["train.kind=dpo"])

    assert processes.processes(loaded, FOUR_CARDS)[0] == {"world_size": 4, "strategy": "ddp"}
    assert processes.open_strategy(loaded) == set()
    assert processes.open_strategy(load_recipe(SHOP)) == {"strategy"}


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (FOUR_CARDS, "5 processes are more than the 4 GPUs"),
        (NO_CARD, "5 processes are more than the 2 cores"),
    ],
)
def test_more_processes_than_the_machine_has_room_for_are_refused(machine: Look, said: str):
    loaded = load_recipe(SHOP, ["compute.processes=5"])

    processes.check_processes(loaded, machine)
    with pytest.raises(ResourceError, match=said) as error:
        processes.check_room(loaded, machine)

    assert "or less" in str(error.value)


@pytest.mark.parametrize("strategy", ["deepspeed", "fsdp2"])
def test_moments_in_eight_bits_are_not_shared_out(strategy: str):
    settings = ["compute.processes=2", f"compute.strategy={strategy}", "train.optimizer=adamw-8bit"]

    with pytest.raises(RecipeError, match="moments in float32, not those of `adamw-8bit`"):
        processes.check_processes(load_recipe(SHOP, settings), NO_CARD)


def test_deepspeed_that_is_not_installed_is_a_missing_resource(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "find_spec", lambda name: None)
    loaded = load_recipe(SHOP, ["compute.processes=2", "compute.strategy=deepspeed"])

    with pytest.raises(ResourceError, match="the package is not installed") as error:
        processes.check_room(loaded, NO_CARD)

    assert "pip install 'ai-foundry[deepspeed]'" in str(error.value)


@pytest.fixture(scope="module")
def shop() -> tuple:
    """Shape and rows of the shop on TAIDE, which is gated and not on this machine."""
    loaded = load_recipe(SHOP, TAIDE)
    return known_shape(loaded), known_rows(loaded)


def made_on(shop: tuple, device: str, *settings: str) -> Forecast:
    machine = hardware.find(device)
    loaded = load_recipe(SHOP, [*TAIDE, *settings])
    return forecast(loaded, machine, rates(machine, hardware.load_prices()), *shop)


@pytest.mark.parametrize("count", [2, 8])
def test_cards_share_the_hours_and_are_all_paid_for(shop: tuple, count: int):
    one = made_on(shop, "h100-80g")
    many = made_on(shop, "h100-80g", f"compute.processes={count}")

    assert one.seconds.expected / count < many.seconds.expected < one.seconds.expected
    kilowatts = [made.cost.kwh.expected / made.cost.hours.expected for made in (one, many)]
    assert kilowatts[1] == pytest.approx(count * kilowatts[0])
    assert many.job.global_batch_size == one.job.global_batch_size
    assert many.memory.parts["weights"] == one.memory.parts["weights"]


def test_model_in_parts_takes_less_of_each_card(shop: tuple):
    whole = made_on(shop, "h100-80g", "compute.processes=4")
    parts = made_on(shop, "h100-80g", "compute.processes=4", "compute.strategy=fsdp2")

    assert whole.job.strategy == "ddp"
    for name in ("weights", "adapter", "gradients", "optimizer"):
        assert parts.memory.parts[name].expected < whole.memory.parts[name].expected / 2, name
    assert parts.seconds.expected > whole.seconds.expected  # the layers are sent about


def test_shared_optimizer_takes_less_of_each_card_where_all_weights_train(shop: tuple):
    full = ("adapter.kind=full", "compute.processes=4")
    whole = made_on(shop, "h100-80g", *full, "compute.strategy=ddp")
    shared = made_on(shop, "h100-80g", *full, "compute.strategy=deepspeed")

    parts, others = shared.memory.parts, whole.memory.parts
    assert parts["weights"] == others["weights"]
    assert parts["gradients"].expected < others["gradients"].expected / 2
    assert shared.job.optimizer == "adamw"  # moments in eight bits are not shared out
    assert estimate.BUCKET == zero.BUCKET  # what is foretold is what DeepSpeed is told


def test_all_weights_in_parts_keep_the_embedding_whole(shop: tuple):
    full = ("adapter.kind=full", "compute.processes=4")
    parts = made_on(shop, "h100-80g", *full)

    assert parts.job.strategy == "fsdp2"  # as the whole model fits no other way
    outside = parts.job.shape.embedding_weights + parts.job.shape.other_parameters
    layers = parts.job.trained_weights - outside
    assert parts.memory.parts["gradients"].expected == 4 * (outside + layers / 4)
    assert parts.memory.parts["optimizer"].expected == 8 * (outside + layers / 4)


def test_auto_holds_in_parts_what_fits_no_other_way(shop: tuple):
    alone = made_on(shop, "rtx-4090")
    shared = made_on(shop, "rtx-4090", "compute.processes=4")

    assert not alone.fits
    assert shared.job.strategy == "fsdp2"
    assert shared.fits


def test_processes_of_a_computer_share_its_memory_and_are_no_faster(shop: tuple):
    one, two = (made_on(shop, "cpu-laptop", f"compute.processes={count}") for count in (1, 2))

    assert two.usable_bytes == pytest.approx(one.usable_bytes / 2, rel=1e-6)
    assert two.seconds.expected >= one.seconds.expected


@pytest.mark.parametrize(("first", "then"), [("single", "ddp"), ("fsdp2", "ddp")])
def test_run_that_was_planned_otherwise_takes_the_processes_of_now(
    recipe: TinyRecipe, first: str, then: str
):
    def planned(size: int, strategy: str) -> Mapping[str, Any]:
        settings = [f"compute.processes={size}", f"compute.strategy={strategy}"]
        loaded = load_recipe(str(recipe.file), settings)
        return make_plan(loaded, accepted_terms=("unknown",), runs=recipe.runs).resolved

    size = "1" if first == "single" else "2"
    options = ("--set", f"compute.processes={size}", "--set", f"compute.strategy={first}")
    assert recipe.train("--until", "plan", *options).code == 0

    made = planned(2, then)

    assert (made["world_size"], made["strategy"]) == (2, then)
