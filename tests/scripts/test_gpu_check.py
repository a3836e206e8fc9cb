"""The GPU check trains both classes, four-bit and whole, on tiny shapes; without a GPU it skips."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.models.shape import shape_of
from foundry.planning import hardware
from foundry.planning.estimate.memory import memory
from scripts import gpu_check, gpu_forecast, gpu_trl

MODELS = ["gemma-3-12b", "llama-8b"]
FORETOLD = {"tokens_per_s": (900.0, 1200.0, 1500.0), "peak_gib": (9.0, 10.5, 12.25)}
SPEED, PEAK = "1,200 (900 to 1,500)", "10.50 (9.00 to 12.25)"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stored", gpu_check.STORED)
def test_shape_trains_with_its_proofs(name: str, stored: str):
    found = gpu_check.check(name, stored, 64, gpu_check.random_rows(64), tiny=True)

    assert found["attention"] == "by row"
    assert found["loss"] == pytest.approx(found["by_hand"], rel=1e-4)
    assert found["tokens_per_s"] > 0
    assert found["peak_gib"] > 0


def test_tiny_run_prints_what_is_foretold_beside_what_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--tiny"])
    monkeypatch.setattr(gpu_check, "STORED", ("whole",))

    gpu_check.main()

    ours, trl = capsys.readouterr().out.strip().split("\n\n")
    head, _line, *rows = ours.splitlines()
    assert head == f"| {' | '.join(gpu_check.COLUMNS)} |"
    assert len(rows) == len(MODELS) * 2
    for row in rows:
        speed, foretold, peak, foretold_peak = row.split(" | ")[1:5]
        assert float(speed.replace(",", "")) > 0
        assert float(peak) > 0
        for text in (foretold, foretold_peak):
            expected, low, _to, high = text.replace(",", "").replace("(", "").split()
            assert 0 < float(low) <= float(expected) <= float(high.rstrip(")"))
    sides = trl.splitlines()[2:]
    assert len(sides) == len(gpu_trl.SWITCHES)
    for row in sides:
        _start, name, side, *cells, _end = row.split("|")
        assert side.strip() in gpu_trl.SWITCHES
        assert name in rows[-1]
        assert all(float(cell.replace(",", "")) > 0 for cell in cells)


def job(name: str, stored: str, pack: int, **settings: Any) -> Any:
    """A training as the check asks for it on a GPU."""
    values = {"rank": 16, "dtype": "bfloat16", "steps": 10, "pack_tokens": pack}
    values |= {"global_batch_size": 8, "micro_batch_size": 8, **settings}
    config = gpu_check.configuration(name, tiny=False).to_dict()
    return gpu_forecast.job(config, gpu_check.random_rows(pack), stored=stored, **values)


@pytest.mark.parametrize(("name", "parameters"), [(MODELS[0], 11.77e9), (MODELS[1], 8.03e9)])
def test_shape_that_the_plan_sees_is_the_real_one(name: str, parameters: float):
    config = gpu_check.configuration(name, tiny=False).to_dict()

    assert shape_of(config).parameters == pytest.approx(parameters, rel=0.01)


@pytest.mark.parametrize("stored", gpu_check.STORED)
def test_foretold_is_what_the_plan_says_of_the_device(stored: str):
    asked = job("llama-8b", stored, 4096)

    found = gpu_forecast.foretold(asked, hardware.find("h100-80g"))

    assert found["peak_bytes"] == memory(asked, "cuda").total
    # Of which 12,473 tokens/s are published, which configs/hardware/h100-80g.yaml cites.
    speed = found["tokens_per_s"]
    assert speed.low < speed.expected < speed.high
    assert 4_000 < speed.expected < 12_473


def test_what_happens_once_is_not_in_the_speed():
    device = hardware.find("h100-80g")

    few, many = (
        gpu_forecast.foretold(job("llama-8b", "whole", 2048, steps=steps), device)["tokens_per_s"]
        for steps in (1, 1000)
    )

    assert few.expected == pytest.approx(many.expected)


@pytest.mark.parametrize(
    ("measured", "cells"),
    [
        (
            {
                "tokens_per_s": 1234.5,
                "peak_gib": 10,
                "loss": 7,
                "by_hand": 7,
                "attention": "by row",
            },
            f"1,234 | {SPEED} | 10.00 | {PEAK} | 7.00000 | 7.00000 | by row",
        ),
        ({}, f"does not fit | {SPEED} | – | {PEAK} | – | – | –"),
    ],
)
def test_row_has_a_cell_for_each_column(measured: dict[str, Any], cells: str):
    *_head, row = gpu_check.shown([{"name": "llama", "foretold": FORETOLD, **measured}])

    assert row == f"| llama | {cells} |"
    assert row.count("|") == len(gpu_check.COLUMNS) + 1


def test_first_card_takes_the_place_of_the_word_that_there_is_none(tmp_path: Path):
    page = tmp_path / "gpu.md"
    page.write_text(f"# On a GPU\n\nWhat it is.\n\n{gpu_check.NOT_YET}", encoding="utf-8")

    for card, table in (("Card A", "| 1 |"), ("Card B", "| 2 |"), ("Card A", "| 3 |")):
        gpu_check.write(page, card, table)

    text = page.read_text(encoding="utf-8")
    assert gpu_check.NOT_YET not in text
    assert text.startswith("# On a GPU\n\nWhat it is.\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Card A",
        "## Card B",
    ]
    assert "| 1 |" not in text
    assert text.index("| 3 |") < text.index("## Card B") < text.index("| 2 |")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_skips_with_a_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])

    gpu_check.main()

    assert capsys.readouterr().out.startswith("skipped: there is no GPU")
