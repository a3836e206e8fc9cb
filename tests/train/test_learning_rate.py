"""What `learning_rate: auto` means, in the plan and in the run."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from foundry.core import plugins
from foundry.core.events import Event
from foundry.train.learning_rate import learning_rate
from foundry.train.trainers import sft
from tests import tiny_recipe
from tests.tiny_run import Setup, fast, metrics, open_run


@pytest.mark.parametrize(
    ("trained", "steps", "rate"),
    [("update", 99, 3e-4), ("update", 100, 2e-4), ("weights", 99, 2e-5), ("weights", 100, 2e-5)],
)
def test_rate_follows_from_what_is_trained_and_for_how_long(trained, steps: int, rate: float):
    assert learning_rate(trained, steps)[0] == pytest.approx(rate)


@pytest.mark.parametrize("steps", [99, 100])
@pytest.mark.parametrize("all_weights", [1e-6, 2e-5, 5e-6, 3e-7])
@pytest.mark.parametrize("times", [1.0, 15.0, 0.1, None])
def test_rate_is_one_that_a_person_would_write(times, all_weights: float, steps: int):
    found, _why = learning_rate("update", steps, times, all_weights)

    assert len(Decimal(repr(found)).as_tuple().digits) <= 3


def test_reason_names_its_source():
    assert "LoRA Without Regret" in learning_rate("update", 99)[1]
    assert "under 100 steps" in learning_rate("update", 99)[1]


@pytest.mark.parametrize("kind", ["pissa", "olora", "oft", "hira"])
@pytest.mark.parametrize(("steps", "rate"), [(99, 3e-4), (100, 2e-4)])
def test_rate_that_nobody_tried_for_a_method_says_so(kind: str, steps: int, rate: float):
    times = plugins.load("adapter", kind).TIMES_RATE

    found, why = learning_rate("update", steps, times)

    assert found == pytest.approx(rate)
    assert why == "auto: LoRA's rate; not tried for this method"


@pytest.mark.parametrize(("kind", "rate"), [("lora-plus", 1e-4), ("vera", 2e-3), ("ia3", 3e-3)])
def test_rate_of_a_method_is_what_its_authors_take_over_loras(kind: str, rate: float):
    found, why = learning_rate("update", 100, plugins.load("adapter", kind).TIMES_RATE)

    assert found == pytest.approx(rate)
    assert "of a long run, as its authors have it" in why


def test_auto_is_the_default():
    assert sft.Spec().learning_rate == "auto"
    assert sft.Spec(learning_rate="1e-4").learning_rate == 1e-4


@pytest.mark.parametrize("wrong", ["automatic", 0, 2, -1e-4])
def test_rate_that_is_none_is_refused(wrong: object):
    with pytest.raises(ValidationError):
        sft.Spec(learning_rate=wrong)


def test_run_takes_the_rate_and_tells_why(tiny_llama: Path, tmp_path: Path):
    heard = list[Event]()
    inputs = open_run(Setup(tiny_llama, 4), tmp_path, heard.append)

    sft.fit(inputs, fast(4, learning_rate="auto", schedule="constant", warmup_ratio=0.0))

    assert [line["learning_rate"] for line in metrics(inputs.run)] == pytest.approx([3e-4] * 4)
    (told,) = [event for event in heard if event.get("key") == "learning_rate"]
    assert (told["key"], told["value"]) == ("learning_rate", pytest.approx(3e-4))


def test_rate_that_stays_rises_first(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, 8), tmp_path)

    sft.fit(inputs, fast(8, learning_rate=1e-3, schedule="constant", warmup_ratio=0.5))

    rates = [line["learning_rate"] for line in metrics(inputs.run)]
    assert rates[:4] == sorted(set(rates[:4])) and rates[0] < 1e-3
    assert rates[4:] == pytest.approx([1e-3] * 4)


@pytest.mark.parametrize(
    ("train", "rate", "origin"),
    [
        ({"max_steps": 32}, 3e-4, "auto: 15 times"),
        ({"max_steps": 400}, 2e-4, "auto: 10 times"),
        ({"epochs": 2}, "auto", "settled once rows are counted"),
        ({"max_steps": 32, "learning_rate": 1e-3}, 1e-3, "recipe.yaml:1:"),
    ],
)
def test_plan_says_the_rate_and_where_it_comes_from(
    tiny_base: Path, tmp_path: Path, train, rate, origin: str
):
    common = {"kind": "sft", "global_batch_size": 6}
    made = tiny_recipe.lay_out(tmp_path / "tiny", tiny_base, train={**common, **train})

    plan = made.train("--dry-run", "--json").document

    resolved = plan["resolved"]["learning_rate"]
    assert resolved == (rate if rate == "auto" else pytest.approx(rate))
    assert origin in plan["origins"]["resolved.learning_rate"]


def test_plan_of_a_run_that_trained_leaves_nothing_open(tiny_base: Path, tmp_path: Path):
    train = {"kind": "sft", "epochs": 8, "global_batch_size": 6}
    made = tiny_recipe.lay_out(tmp_path / "tiny", tiny_base, train=train)

    assert made.train("--until", "train").code == 0

    plan = json.loads(made.run.file("plan.json").read_text(encoding="utf-8"))
    assert plan["resolved"]["learning_rate"] == pytest.approx(3e-4)
    assert "auto: 15 times" in plan["origins"]["resolved.learning_rate"]
    assert "auto" not in plan["resolved"].values()
