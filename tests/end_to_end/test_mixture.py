"""A recipe that mixes and replays: told in the plan, the events, the manifest and the report."""

import csv
import json

import pytest

from foundry.core.load import load_recipe
from foundry.core.rundir import STAGES
from tests.tiny_recipe import ACCEPT, RECIPE, call, lay_out

FORMAT = RECIPE["data"]["format"]


def declared(path, purpose=None, **more):
    said = {"basis": "own-work", "by": "a test", **({"purpose": purpose} if purpose else {})}
    return {"path": path, "licence": "CC0-1.0", "declaration": said, **more}


def write(folder, name, rows):
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("問題", "回答"), *rows])


def mixing(tmp_path, tiny_base, **again):
    """Two sources, one weighed twice the other, and a fifth of rows replayed."""
    replay = {"share": 0.2, "format": FORMAT, "sources": [declared("general.csv", **again)]}
    sources = [declared("rows.csv", weight=2), declared("more.csv", weight=1)]
    data = {**RECIPE["data"], "sources": sources, "mix": {"seed": 3}, "replay": replay}
    train = {**RECIPE["train"], "max_steps": 4, "checkpoint_every": 4}
    evals = [{"kind": "exact-match"}]
    made = lay_out(tmp_path, tiny_base, data=data, train=train, exports=[], evals=evals)
    write(tmp_path, "more.csv", [(f"顏色{n}？", "白色。") for n in range(4)])
    write(tmp_path, "general.csv", [(f"問候{n}？", "您好。") for n in range(30)])
    return made


@pytest.fixture
def mixed(tmp_path, tiny_base):
    return mixing(tmp_path, tiny_base)


def test_the_mixture_is_told_everywhere(mixed):
    plan = call("plan", str(mixed.file), *ACCEPT, "--json").document
    outcome = mixed.train("--json")

    assert outcome.code == 0, outcome.err
    rows = mixed.run.file("data", "train.jsonl").read_text(encoding="utf-8").splitlines()
    sources = [json.loads(line)["source"] for line in rows]
    manifest = json.loads(mixed.run.file("data", "manifest.json").read_text(encoding="utf-8"))
    told = {one["files"][0]: one["drawn"] for one in manifest["mixture"]["sources"]}
    assert told == {name: sources.count(name) for name in ("rows.csv", "more.csv", "general.csv")}
    assert told["rows.csv"] == pytest.approx(2 * told["more.csv"], abs=1)
    assert told["general.csv"] == round(len(rows) * 0.2)

    foretold = plan["estimate"]["job"]["rows"]
    assert [one["path"] for one in foretold["mixture"]] == list(told)
    assert sum(one["drawn"] for one in foretold["mixture"]) == foretold["count"]
    assert "general.csv" in outcome.err
    report = json.loads(mixed.run.file("evals", "report.json").read_text(encoding="utf-8"))
    assert report["facts"]["mixture"] == manifest["mixture"]
    assert outcome.document["data"]["mixture"] == manifest["mixture"]


def test_a_person_sees_the_mixture_in_the_plan(mixed):
    shown = call("plan", str(mixed.file), *ACCEPT).out

    assert "general.csv" in next(line for line in shown.splitlines() if " 30 " in line)


def test_replayed_rows_need_a_right_to_be_used_like_any_other(tmp_path, tiny_base):
    made = mixing(tmp_path, tiny_base, purpose="marketing")

    outcome = made.train("--dry-run")

    assert outcome.code == 1
    assert "data.replay.sources.0.declaration.purpose" in outcome.err


def test_licence_of_replayed_rows_is_in_the_plan(mixed):
    plan = call("plan", str(mixed.file), *ACCEPT, "--json").document

    assert [one["of"] for one in plan["licences"]][1:] == ["rows.csv", "more.csv", "general.csv"]


def test_every_arm_and_seed_trains_on_the_same_rows(mixed):
    hashes = set()
    for n, change in enumerate(("seed=0", "seed=7", "adapter.rank=4")):
        runs = mixed.folder / f"runs-{n}"
        words = ("--runs", str(runs), "--until", STAGES[1], "--set", change)
        assert call("train", str(mixed.file), *ACCEPT, *words).code == 0
        (train,) = runs.glob("*/data/train.jsonl")
        hashes.add(train.read_bytes())

    assert len(hashes) == 1


def test_own_purpose_is_declared_for_replayed_rows_too(mixed):
    loaded = load_recipe(mixed.file)

    replay = loaded.recipe.data.replay
    assert replay is not None
    assert replay.sources[0].declaration.purpose == "research"
