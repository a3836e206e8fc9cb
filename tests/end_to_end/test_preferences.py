"""Judged answers from the file to the package, every row accounted for (C25)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_recipe
from tests.support import covers
from tests.tiny_recipe import RECIPE, TinyRecipe

GOOD = [(f"售價{n}？", "三百元。", "不知道。") for n in range(12)]
FILES = [{"kind": kind} for kind in ("adapter", "merged", "gguf", "gguf-adapter")]
DELIVERED = {"adapter", "merged-float32", "gguf-q8_0", "gguf-adapter-f32"}
LONG = "保固一年" * 200
# A pair of equals, one without an answer, and one too long for 64 tokens.
FAULTY = [
    ("產地？", "台灣。", "台灣。"),
    ("產地在？", "", "台灣。"),
    ("保固？", f"{LONG}好。", LONG),
]


def laid_out(
    folder: Path, base: Path, kind: str, test: float | None = None, **overrides: Any
) -> TinyRecipe:
    train = {**RECIPE["train"], "kind": kind, "max_steps": 16}
    split = None if test is None else {"test": test}
    overrides |= {} if test else {"evals": []}
    data = {**RECIPE["data"], "format": {"kind": "auto"}, "split": split, "max_refused": 0.9}
    recipe = tiny_recipe.lay_out(folder / "tiny", base, train=train, data=data, **overrides)
    if kind == "kto":
        rows = [
            {"prompt": asked, "completion": (worse, better)[n % 2], "label": bool(n % 2)}
            for n, (asked, better, worse) in enumerate(GOOD)
        ]
    else:
        rows = [
            dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in GOOD + FAULTY
        ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (recipe.folder / "rows.jsonl").write_text(text + "\n", encoding="utf-8")
    made = json.loads(recipe.file.read_text(encoding="utf-8"))
    made["data"]["sources"][0]["path"] = "rows.jsonl"
    recipe.file.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    return recipe


@covers(lambda: [{"trainer": "dpo", "exporter": one["kind"]} for one in FILES])
def test_pairs_are_learned_measured_and_delivered(tiny_base: Path, tmp_path: Path):
    """On a base that never stops, which pairs cannot teach it to."""
    recipe = laid_out(tmp_path, tiny_base, "dpo", 0.2, exports=FILES)

    outcome = recipe.train("--json")

    assert outcome.code == 0, outcome.out + outcome.err
    assert "the base does not stop either" in outcome.err
    assert set(outcome.document["parity"]) == DELIVERED
    for record in outcome.document["parity"].values():
        assert (record["ended"]["base"], record["ended"]["prompts"]) == (0, 8)
        assert record["stopped"] == record["stop_prompts"] == record["ended"]["tuned"]
    assert recipe.package.is_dir()
    result = json.loads(recipe.run.file("train.json").read_text(encoding="utf-8"))
    assert result["first_loss"] == pytest.approx(0.693147, abs=1e-4)
    margins = result["metrics"]["rewards/margins"]
    assert margins["first"] == 0 < margins["last"]
    assert recipe.run.file("evals", "report.json").is_file()


@covers(lambda kind: [{"trainer": kind, "exporter": one["kind"]} for one in FILES])
@pytest.mark.parametrize("kind", ["kto", "orpo"])
def test_other_judged_answers_are_learned_and_delivered(tiny_base: Path, tmp_path: Path, kind: str):
    recipe = laid_out(tmp_path, tiny_base, kind, exports=FILES)

    outcome = recipe.train("--until", "export", "--json")

    assert outcome.code == 0, outcome.out + outcome.err
    assert set(outcome.document["parity"]) == DELIVERED
    lines = recipe.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
    margins = [json.loads(line)["rewards/margins"] for line in lines]
    assert margins[-1] > margins[0]


def test_every_pair_is_learned_from_or_refused_by_its_line(tiny_base: Path, tmp_path: Path):
    recipe = laid_out(tmp_path, tiny_base, "orpo")

    outcome = recipe.train("--until", "encode", "--json")

    assert outcome.code == 0, outcome.out + outcome.err
    refused = recipe.run.file("data", "refused.jsonl").read_text(encoding="utf-8").splitlines()
    told = {json.loads(line)["line"]: json.loads(line)["code"] for line in refused}
    mask = outcome.document["mask"]
    assert told == {13: "identical-pair", 14: "empty-chosen"}
    assert (mask["rows"], sum(mask["dropped"].values())) == (12, 1)


def test_plan_says_that_a_trainer_is_experimental(tiny_base: Path, tmp_path: Path):
    recipe = laid_out(tmp_path, tiny_base, "orpo")

    said = tiny_recipe.call("plan", str(recipe.file), *tiny_recipe.ACCEPT)

    assert said.code == 0, said.err
    assert "TRL calls this trainer experimental (trl.experimental.orpo)" in said.out + said.err
