"""The speed comparison compares the same rows, drops the first step, goes on where it stopped."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts import bench, bench_sides
from scripts.performance import put_section


def result(side: str, rate: float, loss: float | None = 3.0, peak: int = 10) -> dict[str, Any]:
    measures = {"tokens_per_s": rate, "supervised_per_s": rate / 2, "share": 0.5, "peak_mb": peak}
    return {"side": side, "base": "tiny", "first_loss": loss, **measures}


class NoModel(torch.nn.Module):
    """A model of which nothing is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder, self.head = torch.nn.Linear(2, 3), torch.nn.Linear(3, 5)

    def get_base_model(self) -> "NoModel":
        return self

    def get_decoder(self) -> torch.nn.Module:
        return self.decoder

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head


def test_the_first_step_is_not_counted():
    marks = [(10.0, 500, 50), (12.0, 700, 80), (14.0, 900, 90)]

    found = bench_sides.rated(NoModel(), marks, peak=1e9)

    assert (found["tokens"], found["seconds"]) == (400, 4.0)
    assert (found["tokens_per_s"], found["supervised_per_s"]) == (100.0, 10.0)


def test_ratio_is_of_neighbours_with_its_range():
    rates = [("ours", 30.0), ("trl-tuned", 10.0), ("ours", 20.0), ("trl-tuned", 20.0)]

    found = bench.summarise([result(*rate) for rate in rates])

    assert found["trl-tuned"]["speed"] == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert found["ours"]["tokens_per_s"]["median"] == 25.0


def test_other_loss_is_no_comparison():
    with pytest.raises(ValueError, match="not the same first loss"):
        bench.summarise([result("ours", 30.0), result("trl-tuned", 10.0, loss=3.01)])


def test_side_that_took_too_long_is_shown_as_such():
    late = {**result("trl-defaults", 0.0, loss=None), "longer_than_s": 600}

    summary = bench.summarise([result("ours", 30.0), late])

    assert "none within 600 s" in "\n".join(bench.shown({"tiny": summary}))


def options(tmp_path: Path) -> argparse.Namespace:
    return argparse.Namespace(results=tmp_path / "bench.jsonl", limit=1)


def test_measurement_that_was_made_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made: list[Any] = []

    def run(told: Any, _limit: int) -> Any:
        made.append(told)
        return result("ours", 30.0)

    monkeypatch.setattr(bench, "run", run)
    for pack, number in ((512, 0), (512, 0), (512, 1), (256, 0)):
        bench.one("ours", "tiny", number, {"pack_tokens": pack}, options(tmp_path))

    assert made == [{"pack_tokens": 512}, {"pack_tokens": 512}, {"pack_tokens": 256}]
    assert len(bench.read(tmp_path / "bench.jsonl")) == 3


def test_section_is_put_in_the_place_of_the_old_one(tmp_path: Path):
    page = tmp_path / "performance.md"
    put_section(page, "Other", "stays")
    put_section(page, "Training", "old")

    put_section(page, "Training", "new")

    text = page.read_text(encoding="utf-8")
    assert "stays" in text and "new" in text and "old" not in text


def searching(tmp_path: Path, number_type: Sequence[str] = bench.TYPES) -> argparse.Namespace:
    return argparse.Namespace(
        results=tmp_path / "bench.jsonl",
        limit=1,
        data="shop",
        steps=9,
        pack_tokens=None,
        number_type=number_type,
    )


def test_search_keeps_the_fastest_of_each_type_that_trains_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    exact, half = bench.GRID[3], bench.GRID[-2]

    def run(told: Any, _limit: int) -> Any:
        switches = told.get("trl", {})
        rate = 40.0 if switches.get("packing") else 20.0 if switches in (exact, half) else 10.0
        return result(told["side"], rate, 3.05 if switches.get("bf16") else 3.0)

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.setattr(bench, "SWITCHES", tmp_path / "switches.json")

    bench.search("tiny", searching(tmp_path, ["float32"]))
    with pytest.raises(SystemExit, match="no switches known for bfloat16"):
        bench.given("trl-tuned, bfloat16", "tiny", searching(tmp_path))
    bench.search("tiny", searching(tmp_path, ["bfloat16"]))

    assert bench.given("trl-tuned", "tiny", searching(tmp_path))["trl"] == exact
    assert bench.given("trl-tuned, bfloat16", "tiny", searching(tmp_path))["trl"] == half
    assert len(bench.known_switches()["tiny"]["tried"]) == len(bench.GRID)


def test_ratio_is_of_sides_in_the_same_numbers():
    rates = {"ours": 30.0, "trl-tuned": 10.0, "ours, bfloat16": 80.0, "trl-tuned, bfloat16": 50.0}

    found = bench.summarise([result(side, rate, 3.0) for side, rate in rates.items()])

    assert found["trl-tuned"]["speed"]["median"] == 3.0
    assert found["trl-tuned, bfloat16"]["speed"]["median"] == 1.6


@pytest.mark.parametrize(("side", "dtype"), [("ours", "float32"), ("ours, bfloat16", "bfloat16")])
def test_our_side_is_told_its_number_type(tmp_path: Path, side: str, dtype: str):
    told = bench.given(side, "tiny", searching(tmp_path))

    assert (told["side"], told["dtype"]) == ("ours", dtype)


def test_switches_of_another_machine_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    best = {"float32": bench.GRID[0], "bfloat16": None}
    known = {"tiny": {"machine": "PDP-11, 1 core", "best": best, "tried": []}}
    (tmp_path / "switches.json").write_text(json.dumps(known), encoding="utf-8")
    monkeypatch.setattr(bench, "SWITCHES", tmp_path / "switches.json")

    with pytest.raises(SystemExit, match=r"another machine .*PDP-11, 1 core.*--search"):
        bench.given("trl-tuned", "tiny", searching(tmp_path))


def test_switches_that_were_searched_are_those_of_the_trainer():
    known = (
        json.loads(bench.SWITCHES.read_text(encoding="utf-8")) if bench.SWITCHES.is_file() else {}
    )

    for entry in known.values():
        for name, best in entry["best"].items():
            assert best is None or (best in bench.GRID and best["bf16"] == (name == "bfloat16"))
        assert entry["best"] == bench.best_of(entry["tried"])


@pytest.mark.parametrize(
    ("side", "is_quick"),
    [("ours", True), ("trl-tuned", False), (bench.TRL_WITH_OURS, True), ("trl-defaults", False)],
)
def test_trl_has_our_libraries_only_where_the_side_says_so(
    tmp_path: Path, side: str, is_quick: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bench, "best_switches", lambda _base, _side: {"bf16": False})
    environments = list[Any]()

    def start(command: list[str], *, env: Any, **_how: Any) -> None:
        environments.append(env)
        Path(command[-1]).write_text("{}", encoding="utf-8")

    monkeypatch.setattr(bench.subprocess, "run", start)

    told = bench.given(side, "tiny", searching(tmp_path))
    bench.run(told, 1)

    assert told["quick_products"] is is_quick
    assert (environments[0].get("LRU_CACHE_CAPACITY") == "1024") is not is_quick


def test_side_of_few_steps_draws_from_the_rows_of_all(tmp_path: Path):
    options = searching(tmp_path)
    options.steps = 10

    assert bench.given("trl-defaults", "tiny", options)["rows"] == 80
    assert "rows" not in bench.given("ours", "tiny", options)
