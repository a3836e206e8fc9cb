"""A study's section holds the numbers and the verdicts of its comparison."""

import json
from pathlib import Path

from scripts import study_page

SCORES = {"lora": (0.5, [0.4, 0.6]), "full": (0.7, [0.7, 0.7])}
COSTS = ("trainable_parameters", "memory_bytes", "size_bytes", "seconds")


def score(arm: str, part: str | None, mean: float) -> dict[str, object]:
    return {"arm": arm, "metric": "facts", "part": part, "mean": mean, "low": 0.3, "high": 0.8}


def pair(part: str | None, verdict: str) -> dict[str, object]:
    told = {"en": f"Said of {part}."}
    return {"metric": "facts", "part": part, "a": "lora", "b": "full"} | {
        "verdict": verdict,
        "sentence": told,
    }


def made() -> dict[str, object]:
    costs = {key: {"mean": 2e6} for key in COSTS}
    return {
        "front": {"metric": "facts", "arms": ["full"]},
        "unequal": [{"sentence": {"en": "Other tokens."}}],
        "arms": [{"name": name, **costs} for name in SCORES],
        "scores": [
            score(name, part, mean if part is None else 0.1)
            for name, (mean, _seeds) in SCORES.items()
            for part in ("open", None)
        ],
        "runs": [
            {"arm": name, "scores": {"facts/open": 0.1, "facts": one}}
            for name, (_mean, seeds) in SCORES.items()
            for one in seeds
        ],
        "differences": [pair("open", "WORSE"), pair(None, "NO DIFFERENCE")],
    }


def test_section_has_each_arm_and_the_verdict_over_all_parts(tmp_path: Path, monkeypatch):
    folder = tmp_path / "study"
    (folder / "comparison").mkdir(parents=True)
    (folder / "comparison" / "comparison.json").write_text(json.dumps(made()), encoding="utf-8")
    outline = {"name": "four", "title": {"en": "Four ways"}}
    (folder / "study.json").write_text(json.dumps(outline), encoding="utf-8")
    page = tmp_path / "studies.md"
    monkeypatch.setattr("sys.argv", ["study_page.py", str(folder), "--page", str(page)])

    study_page.main()

    lines = page.read_text(encoding="utf-8").splitlines()
    assert {"## four", "Four ways", "- unequal: Other tokens."} <= {*lines}
    assert [line for line in lines if line.startswith(("| full", "| lora"))] == [
        "| full | 0.700 | 0.300 to 0.800 | 0.700, 0.700 | 2,000,000 | 2 | 2.0 | 2,000,000 | ★ |",
        "| lora | 0.500 | 0.300 to 0.800 | 0.400, 0.600 | 2,000,000 | 2 | 2.0 | 2,000,000 |  |",
    ]
    assert [line for line in lines if line.startswith("- lora")] == [
        "- lora against full: NO DIFFERENCE. Said of None."
    ]
