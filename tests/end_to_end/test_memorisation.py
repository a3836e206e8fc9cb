"""Canaries from the recipe to the report: planted, told, and asked of base and tuned model.

That a model which knows them is flagged, and another is not, is in tests/evals/test_memorisation.
"""

import json
from pathlib import Path

import pytest

from foundry.data.canaries import is_canary
from foundry.data.prepare import read_examples
from tests.tiny_recipe import lay_out

EVALS = [
    {"kind": "exact-match"},
    {"kind": "canaries", "count": 3, "repeats": 4, "candidates": 63},
    {"kind": "memorisation", "run": 5},
]


@pytest.mark.slow
@pytest.mark.parametrize("base", ["tiny_llama", "tiny_base"], ids=["folder", "folder with GGUF"])
def test_a_run_plants_its_canaries_and_tells_what_was_learned_of_them(
    tmp_path: Path, base: str, request: pytest.FixtureRequest
):
    gates = [{"metric": "canary-exposure", "max_drop_pp": 100}]  # wants a base to compare with
    values = {"evals": EVALS, "gates": gates, "exports": []}
    made = lay_out(tmp_path / "recipe", request.getfixturevalue(base), **values)
    lines = (f"商品{n}？,商品{n}賣{100 + n}元保固{n}年" for n in range(14))
    rows = "\n".join(["問題,回答", *lines]) + "\n"
    (made.folder / "rows.csv").write_text(rows, encoding="utf-8")

    ended = made.train("--json")

    assert ended.code == 0, ended.err
    assert ended.document["data"]["planted"] == 12
    assert "made-up rows were put into training" in ended.err
    train = read_examples(made.run.file("data", "train.jsonl"))
    assert sum(map(is_canary, train)) == 12
    report = json.loads(made.run.file("evals", "report.json").read_text("utf-8"))
    scores = {(s["metric"], s["part"], s["column"]): s for s in report["scores"]}
    for column in ("base", "tuned"):
        assert scores["canaries", "canaries", column]["n"] == 3
        assert scores["canary-exposure", "canaries", column]["n"] == 3
    assert [gate["passed"] for gate in report["gates"]] == [True]
    assert scores["memorisation", "training-rows", "tuned"]["n"] > 5
    assert {t["column"] for t in report["tables"] if t["name"] == "exposure"} == {"base", "tuned"}
    assert {part for metric, part, _c in scores if metric == "exact-match"} == {"test"}
    assert not {entry["part"] for entry in report["telling"]} & {"canaries", "training-rows"}


@pytest.mark.slow
def test_rows_too_short_to_recite_are_refused_before_training(tmp_path: Path, tiny_llama: Path):
    evals = [{"kind": "exact-match"}, {"kind": "memorisation", "run": 100}]
    made = lay_out(tmp_path / "recipe", tiny_llama, evals=evals, exports=[])

    ended = made.train()

    assert ended.code == 2
    assert "no training row has a run of 100 of its own" in ended.err
    assert not made.run.file("train.json").exists()
