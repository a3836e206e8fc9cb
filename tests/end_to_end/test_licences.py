"""Licences through the whole chain: the gate of terms, conflicts, what goes past them, notices."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundry.delivery import package_record
from foundry.store import acceptance
from tests.delivery.left_out import named_when_left_out
from tests.tiny_recipe import RECIPE, Outcome, TinyRecipe, call, lay_out

PAGE = "https://huggingface.co/taide/Gemma-3-TAIDE-12b-Chat-2602"
STATEMENT = "內政部 [2026] 不動產成交案件實際資訊 v2"
ACCEPT = ("--accept-terms", "taide-g", "--accept-terms", "gemma")
# Without evaluations: what is asked here is what goes along.
QUICK: dict[str, Any] = {"exports": [{"kind": "adapter"}], "evals": []}


def run(recipe: TinyRecipe, *options: str) -> Outcome:
    """`foundry train`, without any terms accepted."""
    return call("train", str(recipe.file), "--runs", str(recipe.runs), *options)


def taide(folder: Path, base: Path, **origin: Any) -> TinyRecipe:
    """A recipe on a tiny model that says it is TAIDE, with government data."""
    source = {**RECIPE["data"]["sources"][0], "licence": "OGDL-1.0", "attribution": STATEMENT}
    made = lay_out(
        folder,
        base,
        **QUICK,
        data={**RECIPE["data"], "sources": [source]},
        base_origin={"same_as": "gemma-3-taide-12b", "site": PAGE, **origin},
        package={"licence_texts": {"taide-g": "taide-g.pdf"}},
    )
    (folder / "taide-g.pdf").write_bytes(b"%PDF-1.7 the terms as NARLabs gives them")
    return made


def change(recipe: TinyRecipe, **keys: Any) -> None:
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    recipe.file.write_text(json.dumps({**values, **keys}, ensure_ascii=False), encoding="utf-8")


def test_terms_are_accepted_once_for_a_base_and_kept_with_date_and_name(
    tiny_gemma3: Path, tmp_path: Path
):
    recipe = taide(tmp_path / "recipe", tiny_gemma3)

    first = run(recipe, "--until", "plan", "--json")
    second = run(recipe, "--until", "plan", *ACCEPT)
    third = run(recipe, "--until", "plan", "--set", "seed=1")

    assert [p["where"] for p in first.document["problems"]] == ["taide-g", "gemma"]
    assert (first.code, second.code, third.code) == (1, 0, 0)
    kept = acceptance.entries()
    assert [entry["licence"] for entry in kept] == ["taide-g", "gemma"]
    assert all(entry["accepted_on"].startswith("20") and entry["by"] for entry in kept)
    assert all(entry["base"].startswith("base@") for entry in kept)


def test_terms_with_another_text_are_asked_for_again(tiny_gemma3: Path, tmp_path: Path):
    recipe = taide(tmp_path / "recipe", tiny_gemma3)
    assert run(recipe, "--until", "plan", *ACCEPT).code == 0
    (recipe.folder / "taide-g.pdf").write_bytes(b"%PDF-1.7 the newer terms")

    again = run(recipe, "--until", "plan", "--json")

    assert [p["where"] for p in again.document["problems"]] == ["taide-g"]


def test_terms_accepted_for_one_base_are_not_accepted_for_another(
    tiny_gemma3: Path, tiny_llama: Path, tmp_path: Path
):
    assert run(taide(tmp_path / "a", tiny_gemma3), "--until", "plan", *ACCEPT).code == 0

    other = run(taide(tmp_path / "b", tiny_llama), "--until", "plan", "--json")

    assert [p["where"] for p in other.document["problems"]] == ["taide-g", "gemma"]


def test_plan_accepts_for_once_and_keeps_nothing(tiny_gemma3: Path, tmp_path: Path):
    recipe = taide(tmp_path / "recipe", tiny_gemma3)

    assert call("plan", str(recipe.file), *ACCEPT).code == 0
    assert acceptance.entries() == []


def test_text_that_the_package_will_lack_is_asked_for_before_training(
    tiny_gemma3: Path, tmp_path: Path
):
    recipe = taide(tmp_path / "recipe", tiny_gemma3)
    change(recipe, package={})

    outcome = run(recipe, *ACCEPT, "--json")

    assert outcome.code == 1
    assert "package: {licence_texts: {taide-g: FILE}}" in outcome.document["problems"][0]["fix"]
    assert not recipe.runs.exists()


@pytest.mark.parametrize("verb", ["train", "plan"])
@pytest.mark.parametrize(
    ("origin", "source", "said"),
    [
        ({"site": "https://huggingface.co/somebody/taide"}, {}, "(clause 2.4(6))"),
        ({"site": None}, {}, "(clause 2.4(6))"),
        ({}, {"attribution": None}, "(clause 三(二) / 3.2)"),
        ({}, {"licence": "CC-BY-NC-4.0"}, "(clause 2(a)(1))"),
        ({}, {"generated_by": ["llama-3.1-8b"]}, "(clause 1.b.i)"),
        ({}, {"licence": "unknown"}, "nobody knows which terms apply"),
    ],
)
def test_conflict_is_refused_by_plan_and_train(
    tiny_gemma3: Path, tmp_path: Path, verb, origin, source, said
):
    recipe = taide(tmp_path / "recipe", tiny_gemma3, **origin)
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["data"]["sources"][0].update(source)
    values["purpose"] = values["data"]["sources"][0]["declaration"]["purpose"] = "retail"
    recipe.file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    accepted = (*ACCEPT, "--accept-terms", "llama3.1", "--json")

    outcome = call(verb, str(recipe.file), *accepted)

    assert (outcome.code, outcome.document["error"]) == (1, "licence")
    assert [said in problem["what"] for problem in outcome.document["problems"]] == [True]


def test_override_needs_a_reason(recipe: TinyRecipe):
    outcome = run(recipe, "--override", " ", "--json")

    assert (outcome.code, outcome.document["problems"][0]["where"]) == (2, "--override")


def test_override_accepts_no_terms(tiny_gemma3: Path, tmp_path: Path):
    outcome = run(taide(tmp_path / "recipe", tiny_gemma3), "--override", "測試", "--json")

    assert [p["where"] for p in outcome.document["problems"]] == ["taide-g", "gemma"]


@pytest.mark.slow
def test_override_is_kept_in_the_run_and_taints_card_and_record(tiny_gemma3: Path, tmp_path: Path):
    recipe = taide(tmp_path / "recipe", tiny_gemma3, site="https://example.org/mirror")

    outcome = run(recipe, *ACCEPT, "--override", "鏡像站，正在洽詢國研院")

    assert outcome.code == 0, outcome.err
    plan = json.loads(recipe.run.file("plan.json").read_text(encoding="utf-8"))
    assert plan["override"]["reason"] == "鏡像站，正在洽詢國研院"
    assert [c["rule"] for c in plan["override"]["conflicts"]] == ["unauthorised-source"]
    events = recipe.run.file("events.jsonl").read_text(encoding="utf-8")
    assert '"override"' in events
    card = (recipe.package / "README.md").read_text(encoding="utf-8")
    assert "授權條款有衝突，製作者仍繼續製作。" in card
    assert "The licences conflict, and the maker went on all the same." in card
    record = json.loads((recipe.package / "package.json").read_text(encoding="utf-8"))
    assert record["override"]["reason"] == "鏡像站，正在洽詢國研院"
    told = call("verify", str(recipe.package))
    assert told.code == 0
    assert "鏡像站，正在洽詢國研院" in told.out


@pytest.mark.slow
def test_package_of_a_stand_in_for_taide_holds_its_duties(tiny_gemma3: Path, tmp_path: Path):
    recipe = taide(tmp_path / "recipe", tiny_gemma3)

    assert run(recipe, *ACCEPT).code == 0

    package = recipe.package
    notice = (package / "NOTICE").read_text(encoding="utf-8")
    assert "本模型以 TAIDE 為基礎。" in notice
    assert STATEMENT in notice
    assert (package / "licences" / "taide-g.pdf").read_bytes().startswith(b"%PDF")
    said = call("licence", str(package), "--lang", "zh-TW")
    assert (said.code, "必須: 把授權給他人或參加排行榜的衍生作品" in said.out) == (0, True)
    duties = package_record.read(package).duties()
    assert len(duties) > 40
    assert [duty for duty in duties if not named_when_left_out(package, duty)] == []
    assert call("verify", str(package)).code == 0
    (package / "licences" / "taide-g.pdf").unlink()
    broken = call("verify", str(package))
    assert broken.code == 1
    assert "licences/taide-g.*: TAIDE Models License Agreement (Gemma edition) asks" in broken.err
