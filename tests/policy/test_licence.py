"""Licences: every shipped file, what may be used together, and what must be accepted first."""

import hashlib
import re

import pytest

from foundry.core.errors import RecipeError
from foundry.policy import licence, spdx
from foundry.policy.conflicts import not_accepted
from foundry.policy.use import Bound

LICENCES = list(licence.load_licences().values())
GEMMA = licence.find("gemma")


def test_every_file_is_a_licence():
    files = sorted(path.stem for path in licence.folder().glob("*.yaml"))

    assert files == [item.name for item in LICENCES]


@pytest.mark.parametrize("item", LICENCES, ids=lambda item: item.name)
def test_each_text_is_the_one_that_was_recorded(item):
    for text in item.text_files:
        content = (licence.folder() / "texts" / text.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == text.sha256


def test_every_text_belongs_to_a_licence():
    named = {text.file for item in LICENCES for text in item.text_files}

    assert named == {path.name for path in (licence.folder() / "texts").iterdir()}


@pytest.mark.parametrize("item", LICENCES, ids=lambda item: item.name)
def test_notice_stands_word_for_word_in_the_terms_that_ask_for_it(item):
    texts = [
        (licence.folder() / "texts" / text.file).read_text(encoding="utf-8")
        for text in item.text_files
    ]
    if item.notice is not None and texts:
        assert any(item.notice in text for text in texts)
    for sentence in item.display if texts else ():
        assert any(sentence in text for text in texts)


def test_no_name_means_two_licences():
    names = [name for item in LICENCES for name in item.names]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC0-1.0", "cc0-1.0"),
        ("Apache-2.0", "apache-2.0"),
        ("OGDL-Taiwan-1.0", "ogdl-1.0"),
        ("政府資料開放授權條款", "ogdl-1.0"),
        (" Gemma ", "gemma"),
    ],
)
def test_name_alias_and_spdx_identifier_are_found_in_any_case(name, expected):
    assert licence.find(name).name == expected


def test_unknown_licence_names_the_nearest():
    with pytest.raises(RecipeError) as caught:
        licence.find("CC-BY-40")

    assert caught.value.problems[0].fix == "use `cc-by-4.0`"


def test_licence_unlike_any_lists_what_there_is():
    with pytest.raises(RecipeError, match="own-data"):
        licence.find("xyzzy")


def test_gemma_is_refused_until_accepted_and_shows_its_conditions():
    [problem] = not_accepted([Bound("base_model", GEMMA, "base")], ())

    assert "--accept-terms gemma" in (problem.fix or "")
    assert "Prohibited Use Policy" in problem.what
    assert "must: include a copy of the terms (3.1(2))" in problem.what
    assert "https://ai.google.dev/gemma/terms" in problem.what


@pytest.mark.parametrize("accepted", ["gemma", "GEMMA", "gemma-terms-of-use"])
def test_accepted_terms_are_no_problem(accepted):
    assert not_accepted([Bound("base_model", GEMMA, "base")], [accepted]) == []


def test_terms_of_data_must_be_accepted_too_and_are_told_once():
    bound = [Bound("a.csv", GEMMA, "data"), Bound("b.csv", GEMMA, "data")]

    assert [problem.where for problem in not_accepted(bound, ())] == ["gemma"]


def test_terms_that_others_include_must_be_accepted_too():
    bound = [Bound("base_model", licence.find("taide-g"), "base", site="https://taide.tw")]

    assert [problem.where for problem in not_accepted(bound, ())] == ["taide-g", "gemma"]


def test_terms_to_accept_are_each_listed_once():
    found = licence.terms_to_accept(["gemma", "apache-2.0", "Gemma", "llama3.1"])

    assert [item.name for item in found] == ["gemma", "llama3.1"]


def test_choice_between_licences_is_not_made_for_anyone():
    with pytest.raises(RecipeError) as caught:
        licence.named("CC-BY-4.0 OR MIT")

    assert caught.value.problems[0].fix == "write the one you take, such as `CC-BY-4.0`"


def test_licences_joined_by_and_apply_together():
    assert [x.name for x in licence.named("cc-by-4.0 AND mit")] == ["cc-by-4.0", "mit"]


def test_licence_of_the_spdx_list_that_we_hold_no_facts_about_is_no_misspelling():
    with pytest.raises(RecipeError, match=r"`EUPL-1\.2` is on the SPDX list") as caught:
        licence.find("eupl-1.2")

    assert "licence: unknown" in (caught.value.problems[0].fix or "")


@pytest.mark.parametrize("item", [x for x in LICENCES if x.spdx], ids=lambda item: item.name)
def test_each_spdx_identifier_is_written_as_on_the_list(item):
    assert spdx.identifier(item.spdx) == item.spdx


@pytest.mark.parametrize("item", LICENCES, ids=lambda item: item.name)
def test_each_clause_is_told_with_a_rule(item):
    """A duty that a package is checked for is one that a person was told about."""
    told = {rule.clause for rule in (*item.may, *item.must, *item.must_not)}
    told |= {rule.clause for rule in item.passthrough_terms}

    for key in ("notice", "display", "name_prefix", "mau_cap", "improves_only", "share_alike"):
        assert item.clause(key) is None or item.clause(key) in told, key


@pytest.mark.parametrize("item", LICENCES, ids=lambda item: item.name)
def test_what_is_not_known_of_a_clause_is_marked_as_such(item):
    """A fact that refuses somebody rests on a clause, or says how well it is known."""
    binding = {
        "commercial": item.commercial is False,
        "derivatives": item.derivatives is False,
        "name_prefix": item.name_prefix is not None,
        "notice": item.notice is not None,
        "source_only_from": bool(item.source_only_from),
        "improves_only": bool(item.improves_only),
        "void_without_attribution": item.void_without_attribution,
    }
    for key, binds in binding.items():
        assert not binds or item.clause(key) or key in item.marks, key


@pytest.mark.parametrize("item", LICENCES, ids=lambda item: item.name)
def test_facts_are_dated_and_name_only_licences_there_are(item):
    assert re.fullmatch(r"2026-\d\d-\d\d", item.read_on)
    assert all(licence.find(name) for name in (*item.includes, *item.improves_only))


def test_obligations_come_as_may_must_must_not():
    kinds = [line.kind for line in licence.obligations(["gemma", "cc0-1.0"])]

    assert kinds == sorted(kinds, key=["may", "must", "must-not"].index)
    assert set(kinds) == {"may", "must", "must-not"}


def test_obligations_are_in_the_language_in_force(monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh_TW")

    assert "附上使用條款的全文" in [line.text for line in licence.obligations(["gemma"])]


def test_terms_without_a_text_say_why():
    without = {item.name for item in LICENCES if not item.text_files}

    assert without == {
        *("own-data", "unknown", "taide-g", "taide-l", "apertus", "llama2", "mistral-research"),
    }
    assert all(licence.find(name).no_text_because for name in without)


def test_taide_asks_for_its_own_conditions():
    taide = licence.find("taide-g")
    forbidden = " ".join(rule.en for rule in taide.must_not)

    assert "military" in forbidden
    assert "human-made" in forbidden
    assert taide.notice == GEMMA.notice
    assert taide.unilateral_amendment is True
