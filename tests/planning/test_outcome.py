"""A run keeps what its plan predicted beside what was measured; later plans learn from it."""

import json
from dataclasses import replace

import pytest

from foundry.core.load import load_recipe
from foundry.planning import calibration, hardware, learning, outcome
from foundry.planning.estimate.stored import BYTES, weight_bytes
from foundry.planning.learning import Sample
from foundry.planning.plan import make_plan
from tests.tiny_recipe import ACCEPT, TinyRecipe, call


def sample(operations: float, activations: float) -> Sample:
    """A run on a machine of 1 GFLOP/s and 3 s of its own that holds 500 MB and 1.5 activations."""
    return Sample(
        work={"operations": operations, "traffic": 0.0, "calls": 0.0, "loaded": 0.0},
        parts={"counted": 1e8, "activations": activations},
        seconds=operations / 1e9 + 3,
        peak_bytes=1e8 + 5e8 + 1.5 * activations,
    )


RUNS = [sample(operations, n * 1e8) for n, operations in enumerate((2e9, 8e9, 2e10, 6e10), 1)]
SHARDS = {"rows": 5, "tokens": 100, "supervised_tokens": 40, "longest": 30}


def test_the_rates_of_a_machine_are_found_from_its_runs():
    made = learning.calibrate(RUNS)

    other = sample(4e10, 2.5e8)
    assert learning.expected_seconds(other, made.time) == pytest.approx(43, rel=0.1)
    assert learning.expected_bytes(other, made.memory, 1) == pytest.approx(
        other.peak_bytes, rel=0.1
    )


def test_a_single_run_says_nothing_of_the_error():
    assert learning.left_out(RUNS[:1]) == []
    assert len(learning.left_out(RUNS[:2])) == 2


def test_the_upper_bound_of_memory_is_above_every_run():
    made = learning.calibrate(RUNS)

    assert all(learning.expected_bytes(one, made.memory, 2) > one.peak_bytes for one in RUNS)


def test_a_run_keeps_prediction_and_measure_and_plans_learn_from_it(
    recipe: TinyRecipe, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    runs = ("--runs", str(recipe.runs))
    before = call("plan", str(recipe.file), *ACCEPT, "--json").document["estimate"]
    assert recipe.train("--until", "train").code == 0
    kept = json.loads(recipe.run.file("train.json").read_text(encoding="utf-8"))["forecast"]

    learned = call("plan", "--calibrate", *runs, "--json").document
    after = call("plan", str(recipe.file), *ACCEPT, "--json").document["estimate"]

    assert kept["predicted"]["memory"]["total"]["expected"] > 0
    assert kept["measured"]["seconds"] > 0
    assert kept["measured"]["peak_memory_bytes"] > 50 << 20
    assert (learned["time_error"], learned["memory_error"]) == (None, None)
    assert (learned["calibration"]["runs"], before["learned_from"]) == (1, 0)
    assert (after["learned_from"], after["memory"]["learned"]) == (1, True)


@pytest.mark.parametrize(
    ("device", "adapter", "weights"),
    [("cuda", "lora", "bfloat16"), ("cuda", "full", "float32"), ("cpu", "lora", "float32")],
)
def test_a_base_counts_in_the_numbers_that_it_was_held_in(
    recipe: TinyRecipe, device: str, adapter: str, weights: str
):
    loaded = load_recipe(str(recipe.file), [f"adapter.kind={adapter}", "exports=[]"])
    plan = make_plan(loaded, accepted_terms=("unknown",), runs=recipe.runs)
    plan = replace(plan, resolved={**plan.resolved, "device": device, "dtype": "bfloat16"})

    job = outcome.as_trained(loaded, plan, SHARDS)

    assert (job.weights, job.dtype) == (weights, "bfloat16")
    assert weight_bytes(job) == BYTES[weights] * job.shape.parameters


def test_what_was_learned_of_this_machine_is_not_used_for_another(tmp_path, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    calibration.keep(learning.calibrate(RUNS))

    assert calibration.of(hardware.find("h100-80g")) is None
    assert calibration.of(hardware.find("this-machine")).runs == 4


def test_nothing_is_learned_from_an_empty_folder(tmp_path):
    outcome = call("plan", "--calibrate", "--runs", str(tmp_path), "--json")

    assert (outcome.code, outcome.document["error"]) == (3, "resource")
