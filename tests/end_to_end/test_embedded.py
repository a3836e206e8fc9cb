"""Both embedded models, every exporter: real weights, real templates, real llama.cpp."""

import json
from pathlib import Path

import pytest

from foundry.cli.main import main

pytestmark = pytest.mark.slow

EXPORTS = [
    {"kind": "adapter"},
    {"kind": "merged"},
    {"kind": "gguf", "quantization": "f16"},
    {"kind": "gguf", "quantization": "q8_0"},
    {"kind": "gguf-adapter"},
]
ROWS = {
    "請問電風扇保固多久？": "電風扇保固18個月。",
    "What is the fan's warranty?": "18 months.",
    "可以刷卡嗎？": "可以，接受三種信用卡👍。",
    "When do you open?": "At half past nine.",
}
# 12 steps on four rows at a high rate: enough to know them by heart and to stop.
SETTINGS = {"kind": "sft", "max_steps": 12, "learning_rate": 2e-3, "checkpoint_every": 12}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    lines = [json.dumps({"q": q, "a": a}, ensure_ascii=False) for q, a in ROWS.items()]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    source = {
        "path": "rows.jsonl",
        "licence": "CC0-1.0",
        "declaration": {"basis": "own-work", "by": "AI Foundry"},
    }
    values = {
        "schema_version": 1,
        "name": "embedded",
        "title": {"zh-TW": "內建模型", "en": "Embedded model"},
        "base_model": "gemma-3-270m",
        "purpose": "research",
        "data": {
            "sources": [source],
            "format": {"kind": "question-answer", "question": "q", "answer": "a"},
        },
        "train": SETTINGS,
        "exports": EXPORTS,
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("base_model", ["gemma-3-270m", "smollm2-135m"])
def test_every_artefact_of_an_embedded_base_is_the_live_model(  # C30, C34-C37, C39
    base_model: str, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--set", f"base_model={base_model}", "--accept-terms", "gemma"]
    where = ["--until", "export", "--runs", str(tmp_path / "runs"), "--json"]

    code = main(["train", str(recipe), *base, *where])

    made = json.loads(capsys.readouterr().out)
    assert code == 0, made
    assert len(made["parity"]) == len(EXPORTS)
    for name, record in made["parity"].items():
        measured = (record["largest_logprob_difference"], record["mean_logprob_difference"])
        print(base_model, name, *measured, f"{record['greedy_same']}/{record['greedy_prompts']}")


def test_hubs_own_reader_takes_the_card_of_a_package(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import ModelCard

    values = json.loads(recipe.read_text(encoding="utf-8"))
    lines = [json.dumps({"q": f"{q}!", "a": a}, ensure_ascii=False) for q, a in ROWS.items()]
    (tmp_path / "asked.jsonl").write_text("\n".join(lines), encoding="utf-8")
    values["data"]["tests"] = [{"name": "asked", "path": "asked.jsonl"}]
    values["evals"] = [{"kind": "stop-rate"}]
    values["exports"] = [{"kind": "gguf", "quantization": "q8_0"}, {"kind": "adapter"}]
    recipe.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")

    code = main(
        ["train", str(recipe), "--accept-terms", "gemma", "--runs", str(tmp_path), "--json"]
    )

    made = json.loads(capsys.readouterr().out)
    assert code == 0, made
    data = ModelCard.load(Path(made["package"], "README.md")).data
    assert (data.license, data.base_model) == ("gemma", "google/gemma-3-270m")
    assert data.eval_results[0].metric_args["n"] == len(ROWS)
    assert main(["verify", made["package"]]) == 0
