"""What `auto` leaves open is tried on the real model, kept, and never tried again (C13)."""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.environment import cores
from foundry.core.errors import ResourceError
from foundry.core.events import Event
from foundry.train import fitting, probe
from foundry.train.batches.arrange import Arrangement
from foundry.train.fused import fused_updates
from foundry.train.inputs import FitInputs
from foundry.train.probe import distinct_sizes, number_type, settle
from foundry.train.trainers import sft
from foundry.train.trial import WORTHWHILE_STEPS
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe
from tests.tiny_run import Setup, adapter_bytes, fast, open_run

SECONDS = {256: 1.2, 512: 1.02, 1024: 1.0, 2048: 1.1}


@pytest.fixture
def inputs(tiny_llama: Path, tmp_path: Path) -> FitInputs:
    opened = open_run(Setup(tiny_llama, WORTHWHILE_STEPS, 8), tmp_path)
    # Rows long enough that each size cuts them otherwise.
    rows = [replace(row, input_ids=row.input_ids * 9, labels=row.labels * 9) for row in opened.rows]
    return replace(opened, rows=rows, most_pack_tokens=2048)


@pytest.fixture(autouse=True)
def alike(monkeypatch: pytest.MonkeyPatch):
    """A processor on which bfloat16 is no faster, whatever this one is."""
    monkeypatch.setattr(probe, "_product", lambda _kind: 1.0)


def told(arrangement: Arrangement) -> float:
    return SECONDS[arrangement.pack_tokens]


def test_smallest_pack_that_is_as_fast_as_any_is_taken(inputs: FitInputs):
    found = settle(inputs, fast(WORTHWHILE_STEPS), told)

    assert found["pack_tokens"].value == 512  # 2 % slower than 1,024, in half the memory
    assert "512: 1.02 s" in found["pack_tokens"].reason


def test_one_turn_beside_other_work_decides_nothing(inputs: FitInputs):
    calls = Counter[int]()

    def disturbed(arrangement: Arrangement) -> float:
        calls[arrangement.pack_tokens] += 1  # the first call warms up
        return told(arrangement) * (3 if calls[512] == 2 else 1)

    assert settle(inputs, fast(WORTHWHILE_STEPS), disturbed)["pack_tokens"].value == 512


def test_rows_that_each_size_cuts_alike_are_not_tried(inputs: FitInputs):
    rows = [replace(row, input_ids=row.input_ids[:8], labels=row.labels[:8]) for row in inputs.rows]

    def never(_arrangement: Arrangement) -> float:
        raise AssertionError("tried")

    found = settle(replace(inputs, rows=rows), fast(WORTHWHILE_STEPS), never)

    assert found["pack_tokens"].value == 256


def test_short_or_deterministic_run_or_size_in_the_recipe_is_not_tried(inputs: FitInputs):
    def never(_arrangement: Arrangement) -> float:
        raise AssertionError("tried")

    for spec, steps in (
        (fast(3), 3),
        (fast(WORTHWHILE_STEPS, deterministic=True), WORTHWHILE_STEPS),
        (fast(WORTHWHILE_STEPS, pack_tokens=300), WORTHWHILE_STEPS),
    ):
        inputs.run.file(probe.FILE).unlink(missing_ok=True)
        assert "pack_tokens" not in settle(replace(inputs, steps=steps), spec, never)


@case("C66", {"nothing is kept": change(probe.atomic, "write_json", lambda *_: None)})
def test_resumed_run_goes_on_as_it_began(inputs: FitInputs):
    first = settle(inputs, fast(WORTHWHILE_STEPS), told)

    again = settle(inputs, fast(WORTHWHILE_STEPS), lambda arrangement: -arrangement.pack_tokens)

    assert again == first


def test_size_that_cuts_a_rest_off_some_steps_is_seen_by_the_trial(inputs: FitInputs):
    """Eight rows have 249 tokens on average: 256 are enough for most steps and not for all."""
    rows = [
        replace(row, input_ids=row.input_ids[:count], labels=row.labels[:count])
        for row, count in zip(inputs.rows * 3, [30] * 21 + [40] * 3, strict=False)
    ]
    told_sizes = list[int]()

    settle(
        replace(inputs, rows=rows),
        fast(WORTHWHILE_STEPS),
        lambda arrangement: told_sizes.append(arrangement.pack_tokens) or 1.0,
    )

    assert set(told_sizes) == {256, 512}


def test_sizes_that_cut_the_rows_alike_are_tried_once():
    assert distinct_sizes([100, 100], Arrangement(), 2048) == [256]
    assert distinct_sizes([200, 200, 200], Arrangement(), 2048) == [256, 512, 1024]


def test_no_larger_pack_is_tried_than_the_plan_found_to_fit(inputs: FitInputs):
    tried = list[int]()

    def note(arrangement: Arrangement) -> float:
        tried.append(arrangement.pack_tokens)
        return told(arrangement)

    found = settle(replace(inputs, most_pack_tokens=512), fast(WORTHWHILE_STEPS), note)

    assert set(tried) == {256, 512}
    assert found["tried_pack_tokens"].value == 512

    tried.clear()
    inputs.run.file(probe.FILE).unlink()
    settle(replace(inputs, most_pack_tokens=None), fast(WORTHWHILE_STEPS), note)
    assert max(tried) <= inputs.arrangement.pack_tokens  # where the plan did not look


def test_nothing_is_tried_where_activations_do_not_fit(inputs: FitInputs):
    def never(_arrangement: Arrangement) -> float:
        raise AssertionError("tried")

    twice = fast(WORTHWHILE_STEPS, gradient_checkpointing=True)

    assert "pack_tokens" not in settle(inputs, twice, never)


def test_number_type_is_bfloat16_only_where_that_is_clearly_faster(monkeypatch):
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.7}
    monkeypatch.setattr(probe, "_product", lambda kind: seconds[kind])
    assert number_type().value == "float32"

    seconds[torch.bfloat16] = 0.5
    assert number_type().value == "bfloat16"


@pytest.mark.parametrize(
    ("half_s", "taken"), [(0.6, "bfloat16"), (0.7, "float32")], ids=["faster", "little faster"]
)
def test_number_type_is_that_of_whole_steps_where_one_can_be_tried(
    inputs: FitInputs, half_s: float, taken: str, monkeypatch: pytest.MonkeyPatch
):
    """Where a product is four times as fast, a step with its head in float32 may be hardly so."""
    monkeypatch.setattr(probe, "_product", lambda kind: 1.0 if kind == torch.bfloat16 else 4.0)
    tried = list[bool]()

    def step(arrangement: Arrangement) -> float:
        tried.append(torch.is_autocast_enabled("cpu"))
        return told(arrangement) * (half_s if tried[-1] else 1.0)

    found = settle(inputs, fast(WORTHWHILE_STEPS), step)

    assert found["dtype"].value == taken
    assert f"bfloat16: {half_s * SECONDS[512]:.2f} s" in found["dtype"].reason
    assert found["pack_tokens"].value == 512
    assert set(tried[6:]) == {taken == "bfloat16"}  # packs are tried in the type that was taken
    inputs.run.file(probe.FILE).unlink()
    assert settle(inputs, fast(WORTHWHILE_STEPS), None)["dtype"].value == "bfloat16"


def test_trial_in_half_precision_leaves_no_copies(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, WORTHWHILE_STEPS), tmp_path)
    asked = (inputs, None, inputs.arrangement)
    with fused_updates(inputs.model):
        layer = next(m for m in inputs.model.modules() if "forward" in vars(m))
        rounded = layer.forward.args[0]
        with torch.autocast("cpu", torch.bfloat16):
            probe.step_seconds(*asked)
        assert rounded.layers
        probe.step_seconds(*asked)

        assert not rounded.layers


def test_trial_leaves_gradients_and_random_numbers_as_they_were(inputs: FitInputs):
    before = torch.get_rng_state()

    seconds = probe.step_seconds(inputs, None, inputs.arrangement)

    assert seconds > 0
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in inputs.model.parameters())


def losses(folder: Path, path: Path, **values: Any) -> list[float]:
    inputs = open_run(Setup(folder, 4), path)
    sft.fit(inputs, fast(4, **values))
    lines = inputs.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_bfloat16_trains_float32_tensors_to_about_the_same_losses(tiny_llama: Path, tmp_path: Path):
    half = losses(tiny_llama, tmp_path / "half", dtype="bfloat16")
    full = losses(tiny_llama, tmp_path / "full", dtype="float32")

    assert half != full
    # Measured 1e-5: of so narrow a model the products are small beside what they are added to.
    assert half == pytest.approx(full, rel=1e-4)


@case(
    "deterministic",
    {"torch is not told": change(fitting, "deterministic", lambda *_: nullcontext())},
)
def test_deterministic_run_gives_the_same_bytes_twice(tiny_gemma3: Path, tmp_path: Path):
    made, told = [], []

    def listen(event: Event) -> None:
        if event["event"] == "step":
            told.append(torch.are_deterministic_algorithms_enabled())

    for name in ("one", "two"):
        inputs = open_run(Setup(tiny_gemma3, 4), tmp_path / name, listen)
        sft.fit(inputs, fast(4, deterministic=True))
        made.append(adapter_bytes(inputs.run))

    assert made[0] == made[1]
    assert told == 8 * [True]
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_eight_bit_optimizer_without_a_gpu_is_refused(tiny_llama: Path, tmp_path: Path):
    with pytest.raises(ResourceError, match="needs a GPU"):
        sft.fit(open_run(Setup(tiny_llama, 3), tmp_path), fast(3, optimizer="adamw-8bit"))


def test_attention_is_told_with_its_reason(tiny_llama: Path, tmp_path: Path):
    heard = list[Event]()

    sft.fit(open_run(Setup(tiny_llama, 3), tmp_path, heard.append), fast(3))

    settled = {event["key"]: event for event in heard if event["event"] == "settled"}
    assert settled["attention"]["value"] == "by-row"
    assert settled["dtype"]["value"] == "float32"


def test_run_that_goes_on_where_there_are_fewer_cores_takes_those(inputs: FitInputs):
    before = torch.get_num_threads()
    settled = {"threads": probe.Settled(1000, "kept"), "dtype": probe.Settled("float32", "kept")}

    try:
        probe.as_settled(inputs, settled)
        assert torch.get_num_threads() == cores()
    finally:
        torch.set_num_threads(before)


def test_plan_of_a_finished_run_holds_what_was_settled(finished: TinyRecipe):
    plan = json.loads(finished.run.file("plan.json").read_text(encoding="utf-8"))

    assert plan["resolved"]["attention"] == "by-row"
    assert "asked of the model" in plan["origins"]["resolved.attention"]
    report = json.loads(finished.run.file("evals", "report.json").read_text(encoding="utf-8"))
    assert report["facts"]["plan"]["resolved"] == plan["resolved"]
