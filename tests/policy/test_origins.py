"""A policy refuses by origin, says why, and says how well it knows its own ground."""

import pytest

from foundry.core.errors import RecipeError
from foundry.core.language import speaking
from foundry.models import catalogue
from foundry.models.origins import of_model
from foundry.policy import origins
from foundry.policy.origins import Origin, find, refused
from tests.cases import case, change

POLICY = "tw_public_sector"


@case("origin", {"nothing is refused": change(origins, "refused", lambda policy, origin: [])})
@pytest.mark.parametrize(
    ("model", "rule"),
    [
        ("qwen3-0.6b", "excluded-origin"),
        ("deepseek-r1-distill-llama-8b", "excluded-origin"),
        ("qwen-sea-lion-4-32b", "excluded-origin"),  # from Singapore, made from Qwen
        ("acme/some-model", "unknown-origin"),
    ],
)
def test_excluded_and_unknown_origins_are_refused(model, rule):
    found = origins.refused(find(POLICY), of_model(model))

    assert [conflict.rule for conflict in found] == [rule]
    assert found[0].clause == "院授數資安字第1141000253號函 三(一)"


@pytest.mark.parametrize("model", ["gemma-3-taide-12b", "gemma-3-270m", "apertus-8b", "olmo-3-7b"])
def test_other_origins_are_taken(model):
    assert refused(find(POLICY), of_model(model)) == []


def test_no_model_of_the_catalogue_from_there_passes():
    entries = catalogue.load_catalogue().values()
    there = {e.name for e in entries if "CN" in (e.origin_country, *e.base_countries)}

    found = {e.name for e in entries if refused(find(POLICY), of_model(e.name))}

    assert len(there) == 26
    assert found == there


def test_refusal_says_why_in_both_languages():
    said = {}
    for language in ("en", "zh_TW"):
        with speaking(language):
            said[language] = refused(find(POLICY), of_model("qwen3-0.6b"))[0]

    assert "excludes models from CN, such as qwen3-0.6b" in said["en"].what
    assert "大陸廠牌" in said["zh_TW"].what


def test_policy_names_its_sources_and_what_was_not_verified():
    policy = find(POLICY)

    assert policy.dated == "2026-11-26"
    assert all(source.url.startswith("https://") for source in policy.sources)
    assert policy.marks["excluded_origins"].startswith("?")
    assert "not settled" in policy.note.en


def test_policy_may_take_an_unknown_origin():
    lenient = find(POLICY).model_copy(update={"unknown_origin": "accepted"})

    assert refused(lenient, Origin("base", (), None, None)) == []


def test_unknown_policy_names_the_nearest():
    with pytest.raises(RecipeError, match="use `tw_public_sector`"):
        find("tw-public-sector")
