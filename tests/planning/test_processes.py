"""How many processes train, and how they share the model, is settled or refused in the plan."""

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.core.load import load_recipe
from foundry.planning import processes
from foundry.planning.accelerator import Card, Look

SHOP = "retail/customer-service"
CARD = Card("a card", 80 * 2**30, has_bfloat16=True, is_unified=False)
FOUR_CARDS, NO_CARD = Look(CARD, "2.13.0", cards=4), Look(None, "2.13.0")


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
    ],
)
def test_auto_is_one_process_for_each_card(settings: list[str], machine: Look, expected: tuple):
    loaded = load_recipe(SHOP, settings)

    made, reasons = processes.processes(loaded, machine)
    processes.check_processes(loaded, machine)

    assert (made["world_size"], made["strategy"]) == expected
    assert set(reasons) == {"resolved.world_size", "resolved.strategy"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["strategy=ddp"], "compute.strategy: `ddp` shares a model among processes, and there is"),
        (["processes=2", "strategy=single"], "compute.strategy: `single` is one process"),
        (["processes=9"], "compute.processes: 9 processes for 8 rows in a step"),
    ],
)
def test_contradiction_is_a_fault_of_the_recipe(settings: list[str], said: str):
    loaded = load_recipe(SHOP, [f"compute.{setting}" for setting in settings])

    with pytest.raises(RecipeError, match=said):
        processes.check_processes(loaded, NO_CARD)


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (FOUR_CARDS, "5 processes are more than the 4 GPUs"),
        (NO_CARD, "5 processes are more than the 2 cores"),
    ],
)
def test_more_processes_than_the_machine_has_room_for_are_refused(machine: Look, said: str):
    loaded = load_recipe(SHOP, ["compute.processes=5"])

    with pytest.raises(ResourceError, match=said) as error:
        processes.check_processes(loaded, machine)

    assert "or less" in str(error.value)
