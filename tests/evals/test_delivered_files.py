"""Every GGUF file that is handed over is asked, compared and held to the gates."""

import json
from dataclasses import replace
from pathlib import Path

from foundry.core.recipe import Gate
from foundry.evals.comparison import Roles
from tests.evals.conftest import Shop
from tests.tiny_recipe import lay_out

BOTH = [{"kind": "gguf"}, {"kind": "gguf", "quantization": "f16"}]


def test_second_quantisation_is_a_column_of_its_own(tiny_base: Path, tmp_path: Path):
    recipe = lay_out(tmp_path / "tiny", tiny_base, exports=BOTH)

    outcome = recipe.train("--until", "evaluate")

    assert outcome.code == 0, outcome
    report = json.loads(recipe.run.file("evals", "report.json").read_text("utf-8"))
    found = {c["name"]: c["title"]["en"] for c in report["columns"] if c["role"] == "delivered"}
    assert found == {
        "delivered": "Delivered GGUF file (gguf-q8_0)",
        "delivered-f16": "Delivered GGUF file (gguf-f16)",
    }
    against = {d["a"] for d in report["differences"] if d["kind"] == "delivered-tuned"}
    assert against == {*found}


def test_gate_that_the_second_file_misses_is_not_met(shop: Shop):
    right = {"base": 20, "tuned": 30, "first": 30, "second": 25}
    columns = [shop.column(name, shop.right(count)) for name, count in right.items()]
    roles = Roles(base=("base",), tuned="tuned", delivered=("first", "second"))
    gate = Gate.model_validate({"metric": "required-facts", "part": "facts", "min": 0.7})

    made = shop.report(columns, roles=roles, gates=[gate])

    (result,) = made["gates"]
    assert (result["passed"], result["column"], result["found"]) == (False, "second", 0.625)
    said = [one["en"] for one in made["headlines"] if "handed over" in one["en"]]
    assert ["first" in one for one in said] == [True, False]


def test_same_words_are_counted_on_the_recipes_own_questions(shop: Shop):
    brought = [replace(item, brought_by="controls") for item in shop.outside]
    shop.items = [*shop.facts, *brought]
    columns = [shop.column(name, shop.right(n)) for name, n in (("tuned", 30), ("gguf", 29))]

    roles = Roles(tuned="tuned", delivered=("gguf",))
    made = shop.report(columns, roles=roles, evals=[shop.required(parts=["facts"])])

    assert "the trained model's words on 39 of 40 questions" in made["headlines"][-1]["en"]
