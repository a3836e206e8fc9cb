"""`foundry run` for a person and for a program."""

import json
from pathlib import Path

import pytest

from foundry.cli.run_text import sparkline
from foundry.core.errors import RecipeError
from foundry.store.ledger import Charges
from tests.store.made_runs import PLAN, log, make
from tests.store.test_ledger import Training
from tests.tiny_recipe import call


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs: finished, failed, and one of another rank."""
    make(tmp_path, "shop-1a2b3c4d")
    failed = make(tmp_path, "law-9f8e7d6c", until="encode")
    log(failed, "train", "failed", error="data", problems=[{"where": "train", "what": "NaN"}])
    values = {**PLAN["values"], "adapter": {"kind": "lora", "rank": 16}}
    make(tmp_path, "shop-5e6f7a8b", until="train", values=values)
    return tmp_path


def run(runs: Path, *words: str, code: int = 0) -> str:
    """What `foundry run` prints."""
    outcome = call("run", *words, "--runs", str(runs))
    assert outcome.code == code, outcome
    return outcome.out or outcome.err


def test_list_is_a_line_for_each_run(runs: Path):
    head, *lines = run(runs, "list").splitlines()

    assert head.split()[0] == "run"
    assert {line.split()[0] for line in lines} == {"shop-1a2b3c4d", "law-9f8e7d6c", "shop-5e6f7a8b"}
    found = {line.split()[0]: line for line in lines}
    assert " failed at train " in found["law-9f8e7d6c"]
    assert " done until train " in found["shop-5e6f7a8b"]
    assert " 3/3 " in found["shop-1a2b3c4d"] and " done " in found["shop-1a2b3c4d"]


def test_list_of_no_runs_is_a_table_without_lines(tmp_path: Path):
    assert len(run(tmp_path / "none", "list").splitlines()) == 1


def test_show_has_choices_with_origins_curve_stages_and_proofs(runs: Path):
    text = run(runs, "show", "1a2b")

    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "loss: 3.000 -> 1.000 in 3 steps █▃▁" in lines
    assert "adapter.rank 8 shop.yaml:5:3" in lines
    assert "resolved.threads 2 computed" in lines
    assert not [line for line in lines if line.startswith("data.sources")]
    assert "moved tensors 4, moved 4" in lines
    assert "checkpoints/ 2 2 KiB" in lines
    peaks = [line.split()[0] for line in lines if line.endswith(("MiB", "GiB"))]
    assert peaks[:2] == ["plan", "data"]


def test_show_of_drawn_answers_has_their_rewards(runs: Path):
    path = runs / "shop-1a2b3c4d" / "metrics.jsonl"
    lines = [{"step": n, "loss": -n, "reward": 0.2 * n} for n in (1, 2, 3)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    assert "reward: 0.200 -> 0.600 in 3 steps" in run(runs, "show", "1a2b")


def test_show_of_a_failed_run_says_why(runs: Path):
    assert "failed at train" in run(runs, "show", "law")
    assert "\n  train: NaN\n" in run(runs, "show", "law")


def test_diff_shows_values_beside_each_other(runs: Path):
    lines = [" ".join(x.split()) for x in run(runs, "diff", "1a2b", "5e6f").splitlines()]

    assert "key shop-1a2b3c4d shop-5e6f7a8b" in lines
    assert "adapter.rank 8 16" in lines
    assert run(runs, "diff", "law", "law") == "they do not differ\n"


def test_clean_asks_for_yes_and_tells_bytes(runs: Path):
    shown = run(runs, "clean", "1a2b")
    removed = run(runs, "clean", "1a2b", "--yes")

    assert "2 KiB (2000) can be freed; `--yes` removes the above" in shown
    assert removed.splitlines()[-1] == "2 KiB (2000) freed"
    assert run(runs, "clean", "1a2b") == "0 bytes (0) can be freed; `--yes` removes the above\n"
    assert "shop-5e6f7a8b/checkpoints" in run(runs, "clean")


@pytest.mark.parametrize("verb", ["show", "clean"])
def test_name_that_is_not_clear_ends_with_2_and_candidates(runs: Path, verb: str):
    said = run(runs, verb, "shop", code=RecipeError.exit_code)

    assert "shop-1a2b3c4d" in said and "shop-5e6f7a8b" in said and "law" not in said


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["list"], {"runs"}),
        (["show", "law"], {"name", "state", "choices", "stages", "curve", "proofs", "files"}),
        (["diff", "law", "1a2b"], {"a", "b", "recipe", "data", "environment", "results"}),
        (["clean"], {"waste", "locked", "size_bytes", "removed"}),
        (["ledger"], {"path", "runs", "total"}),
    ],
)
def test_json_is_one_document(runs: Path, words: list[str], keys: set[str]):
    outcome = call("run", *words, "--runs", str(runs), "--json")

    assert outcome.code == 0
    assert keys <= outcome.document.keys()


@pytest.mark.parametrize(
    ("values", "line"),
    [([1.0], "▁"), ([2.0, 2.0], "▁▁"), ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁")],
)
def test_sparkline(values: list[float], line: str):
    assert sparkline(values) == line


def test_sparkline_of_a_long_curve_has_the_means_of_its_stretches():
    assert sparkline([0.0] * 50 + [1.0] * 50, width=10) == "▁▁▁▁▁█████"


def test_ledger_adds_up_and_marks_what_is_not_known(tmp_path: Path):
    Training(tmp_path, "a-1").go(1, 2)
    Training(tmp_path, "b-2", charges=Charges()).go(1, 2)

    head, a, b, both, note = run(tmp_path, "ledger").splitlines()

    assert head.split()[-4:] == ["PFLOP", "PFLOP-days", "kWh", "NT$"]
    assert a.split()[5:] == ["0.840", "0.000010", "0.0002", "0.00"]
    assert b.split()[5:] == ["-", "-", "-", "-"]
    assert " ≥ 0.840 " in both and both.startswith("all")
    assert "not known" in note
