"""What the ledger charges is what the plan states; counts are those of torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from foundry.core.load import load_recipe
from foundry.core.records import Plan
from foundry.models.load import load_model
from foundry.planning.charging import charges
from foundry.planning.plan import make_plan
from tests.tiny_recipe import TinyRecipe

TOKENS = 16


@pytest.fixture
def plan(recipe: TinyRecipe) -> Plan:
    """The plan of the tiny recipe."""
    return make_plan(load_recipe(str(recipe.file)), accepted_terms=("unknown",), runs=recipe.runs)


def forward_flops(plan: Plan) -> float:
    """Operations of all matrix products of one forward pass, as torch counts them."""
    model: Any = load_model(plan.base).eval()
    model.config._attn_implementation = "eager"
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(input_ids=torch.ones(1, TOKENS, dtype=torch.long))
    by_kind = counter.get_flop_counts()["Global"]
    products = {str(kind): count for kind, count in by_kind.items()}
    return float(products["aten.mm"])  # attention's own products are `bmm`


@pytest.mark.parametrize(("kind", "times"), [("lora", 2), ("full", 3)])
def test_token_costs_its_forward_pass_and_its_gradients(plan: Plan, kind: str, times: int):
    values = {**plan.values, "adapter": {"kind": kind}}

    found = charges(replace(plan, values=values))

    assert found.flops_per_token is not None and found.flops_per_target is not None
    counted = TOKENS * (found.flops_per_token + found.flops_per_target)
    assert counted == times * forward_flops(plan)


def test_the_last_of_two_layers_costs_the_gradients_of_one(plan: Plan):
    every, last, update = (
        charges(replace(plan, values={**plan.values, "adapter": adapter}))
        for adapter in ({"kind": "full"}, {"kind": "full", "last_layers": 1}, {"kind": "lora"})
    )

    assert last.flops_per_token is not None and every.flops_per_token is not None
    assert last.flops_per_token == (2 + 4 / 2) / 6 * every.flops_per_token
    assert last.flops_per_target == update.flops_per_target  # the head is frozen


def test_draw_and_price_are_those_of_the_plan(plan: Plan):
    found = charges(plan)
    cost = plan.estimate["cost"]

    assert found.watts is not None
    assert found.watts * cost["hours"]["expected"] / 1000 == pytest.approx(cost["kwh"]["expected"])
    assert found.twd_per_kwh == cost["rates"]["electricity"]
    assert (found.watts_from, found.is_metered) == ("assumed for this-machine", True)
    assert found.price_from


def test_plan_without_an_estimate_leaves_energy_unknown(plan: Plan):
    found = charges(replace(plan, estimate={}))

    assert (found.watts, found.twd_per_kwh) == (None, None)
    assert found.flops_per_token is not None


def test_shape_that_is_guessed_leaves_operations_unknown(plan: Plan):
    config = Path(plan.base.folder) / "config.json"
    config.write_text('{"model_type": "llama"}', encoding="utf-8")

    assert charges(plan).flops_per_token is None


def with_job(plan: Plan, **changed: Any) -> Plan:
    job = {**plan.estimate["job"], **changed}
    return replace(plan, estimate={**plan.estimate, "job": job})


def of_kind(plan: Plan, kind: str) -> Plan:
    return replace(plan, values={**plan.values, "train": {**plan.values["train"], "kind": kind}})


def test_each_reader_beside_the_training_costs_a_forward_pass(plan: Plan):
    alone = charges(plan)
    reader = with_job(plan, reference_passes=1), with_job(plan, drawn_tokens=8)
    taught = with_job(plan, teacher=plan.estimate["job"]["shape"])

    for found in map(charges, (*reader, taught)):
        assert found.flops_per_token == 1.5 * alone.flops_per_token
        assert found.flops_per_target == 1.5 * alone.flops_per_target


def test_reward_has_no_head_of_a_vocabulary(plan: Plan):
    found = charges(of_kind(plan, "reward"))

    assert found.flops_per_target == 0
    assert found.flops_per_token == charges(plan).flops_per_token


def test_reader_that_no_forecast_names_leaves_operations_unknown(plan: Plan):
    found = charges(replace(of_kind(plan, "dpo"), estimate={}))

    assert (found.flops_per_token, found.flops_per_target) == (None, None)


@pytest.mark.parametrize(("said", "share"), [(None, 1.0), ("0.5", 0.5), ("2", 1.0), ("-", 1.0)])
def test_share_of_the_machine_is_what_the_study_said(plan: Plan, monkeypatch, said, share):
    monkeypatch.delenv("FOUNDRY_MACHINE_SHARE", raising=False)
    if said is not None:
        monkeypatch.setenv("FOUNDRY_MACHINE_SHARE", said)

    assert charges(plan).share == share
