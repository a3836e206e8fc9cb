"""What a thousand answers take is counted from what was measured, with what was assumed."""

from dataclasses import replace

import pytest

from foundry.evals.answer_costs import answer_costs
from foundry.evals.report.costs import amount
from foundry.store.ledger import Charges
from tests.evals.conftest import Shop

CHARGES = Charges(
    watts=100.0,
    watts_from="assumed for a test",
    is_metered=True,
    twd_per_kwh=4.0,
    price_from="a bill",
    twd_per_hour=36.0,
    rent_from="an offer",
)


@pytest.fixture
def column(shop):
    shop.items = shop.items[:50]
    return replace(shop.column("tuned", shop.right(0)), seconds=180.0)


def cost(column, charges):
    """Of the 50 questions of `column`."""
    (found,) = answer_costs([column], Shop().items[:50], charges)["columns"]
    return found


def test_what_an_evaluator_brings_makes_no_answer_cheaper(shop, column):
    report = shop.report([replace(column, name="base"), column])
    brought = [replace(shop.item(n), brought_by="controls", part="controls") for n in range(60, 92)]
    shop.items = [*shop.items, *brought]
    more = replace(column, answers=shop.column("tuned", shop.right(0)).answers)
    with_more = shop.report([replace(more, name="base"), more])

    def taken(made):
        return made["costs"]["columns"][1]["seconds"], made["columns"][1]["seconds_per_answer"]

    assert taken(with_more) == taken(report) == (3600.0, 3.6)


def test_assumed_draw_gives_energy_and_money(column):
    # 50 answers in 180 s are 1,000 in an hour, which at 100 W is 0.1 kWh.
    assert cost(column, CHARGES) == {
        "column": "tuned",
        "seconds": 3600.0,
        "tokens_per_s": 1.722222,  # 310 tokens in 180 s
        "kwh": 0.1,
        "kwh_from": "assumed",
        "twd": 0.4,
        "rent_twd": 36.0,
    }


def test_meter_is_believed_where_it_counts_what_answers(column):
    metered = replace(column, joules=9000.0)

    assert cost(metered, CHARGES)["kwh"] == 0.05
    assert cost(metered, CHARGES)["kwh_from"] == "meter"
    assert cost(metered, replace(CHARGES, is_metered=False))["kwh"] == 0.1


def test_what_is_not_known_is_not_made_up(column):
    untimed = cost(replace(column, seconds=None), CHARGES)
    without_price = cost(column, Charges())

    assert {untimed[key] for key in ("seconds", "tokens_per_s", "kwh", "twd", "rent_twd")} == {None}
    assert without_price["seconds"] == 3600.0
    assert {without_price[key] for key in ("kwh", "twd", "rent_twd")} == {None}


def test_baseline_costs_nothing_and_is_left_out(shop, column):
    copied = shop.column("look-up", shop.right(1), {})

    found = answer_costs([copied, column], shop.items, CHARGES)

    assert [row["column"] for row in found["columns"]] == ["tuned"]
    assert (found["watts"], found["twd_per_kwh"], found["price_from"]) == (100.0, 4.0, "a bill")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.0004, "< 0.001"),
        (0.01234, "0.0123"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_amounts_have_three_digits(value, said):
    assert amount(value) == said
