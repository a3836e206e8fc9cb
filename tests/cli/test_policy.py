"""`policy:` refuses a base model by its origin in `recipe check`, `plan` and `train`."""

import json

import pytest

from foundry.planning import origins
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe, call

ASKED = ("retail/customer-service", "--set", "policy=tw_public_sector", "--set")
VERBS = [("recipe", "check"), ("plan",), ("train",)]
WHY = "policy `tw_public_sector` (Public sector of Taiwan) excludes models from CN"


@case("origin", {"nobody asks": change(origins, "conflicts", lambda loaded: [])})
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[-1])
def test_base_of_an_excluded_origin_is_refused_before_it_is_fetched(verb):
    outcome = call(*verb, *ASKED, "base_model=qwen3-0.6b")

    assert outcome.code == 1
    assert WHY in outcome.err
    assert "fix: use a base of another origin" in outcome.err


def test_base_of_another_origin_passes():
    assert call("recipe", "check", *ASKED, "base_model=gemma-3-270m").code == 0


def test_unknown_policy_is_a_mistake_of_the_recipe():
    outcome = call("recipe", "check", "retail/customer-service", "--set", "policy=tw_public")

    assert outcome.code == 2
    assert "tw_public: no such policy" in outcome.err
    assert "fix: use `tw_public_sector`" in outcome.err


def with_policy(recipe: TinyRecipe, **origin: str) -> TinyRecipe:
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values |= {"policy": "tw_public_sector", "base_origin": origin}
    recipe.file.write_text(json.dumps(values), encoding="utf-8")
    return recipe


@pytest.mark.parametrize(
    ("origin", "code", "said"),
    [
        ({}, 1, "wants to know the origin, and that of base is not"),
        ({"country": "CN"}, 1, "excludes models from CN, such as base"),
        ({"same_as": "qwen3-0.6b"}, 1, "excludes models from CN, such as qwen3-0.6b"),
        ({"country": "TW"}, 0, ""),
    ],
)
def test_weights_in_a_folder_are_what_the_recipe_says_of_them(recipe, origin, code, said):
    outcome = with_policy(recipe, **origin).train("--until", "plan")

    assert (outcome.code, said in outcome.err) == (code, True)


def test_override_goes_on_and_the_plan_says_so(recipe):
    outcome = with_policy(recipe, country="CN").train("--until", "plan", "--override", "a study")

    assert outcome.code == 0
    plan = json.loads(recipe.run.file("plan.json").read_text(encoding="utf-8"))
    assert plan["override"]["reason"] == "a study"
    assert "excluded-origin" in [conflict["rule"] for conflict in plan["override"]["conflicts"]]
    assert plan["sovereignty"]["base"]["countries"] == ["CN"]


def test_origin_of_a_model_that_the_catalogue_knows_is_not_restated():
    outcome = call(
        *("recipe", "check", "retail/customer-service", "--set", "base_origin.country=TW")
    )

    assert outcome.code == 2
    assert "base_origin: `gemma-3-270m` is in the catalogue" in outcome.err
