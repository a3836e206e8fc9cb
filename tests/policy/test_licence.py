"""Licences: every shipped file, what may be used together, and what must be accepted first."""

import hashlib

import pytest

from foundry.core.errors import RecipeError
from foundry.policy import licence

LICENCES = list(licence.load_licences().values())
GEMMA = licence.find("gemma")
APACHE = licence.find("apache-2.0")


def use(base=APACHE, data=(), purpose="customer-service", accepted=(), model_name=None):
    return licence.check_use(
        base=base, data=data, purpose=purpose, accepted=accepted, model_name=model_name
    )


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
    [problem] = use(base=GEMMA)

    assert "--accept-terms gemma" in (problem.fix or "")
    assert "Prohibited Use Policy" in problem.what
    assert "must: include a copy of the terms (3.1(2))" in problem.what
    assert "https://ai.google.dev/gemma/terms" in problem.what


@pytest.mark.parametrize("accepted", ["gemma", "GEMMA", "gemma-terms-of-use"])
def test_accepted_terms_are_no_problem(accepted):
    assert use(base=GEMMA, accepted=[accepted]) == []


def test_terms_of_data_must_be_accepted_too_and_are_told_once():
    data = [("a.csv", GEMMA), ("b.csv", GEMMA)]

    assert [problem.where for problem in use(data=data)] == ["gemma"]


def test_terms_to_accept_are_each_listed_once():
    found = licence.terms_to_accept(["gemma", "apache-2.0", "Gemma", "llama3.1"])

    assert [item.name for item in found] == ["gemma", "llama3.1"]


def test_unknown_licence_must_be_taken_on_by_a_person():
    unknown = licence.find("unknown")

    assert [problem.where for problem in use(base=unknown)] == ["unknown"]
    assert use(base=unknown, accepted=["unknown"]) == []


def test_non_commercial_data_is_refused_by_source():
    data = [("chat.csv", licence.find("cc-by-nc-4.0")), ("shop.csv", licence.find("cc0-1.0"))]

    [problem] = use(data=data)

    assert problem.where == "chat.csv"
    assert "`customer-service`" in problem.what
    assert "purpose: research" in (problem.fix or "")


@pytest.mark.parametrize("purpose", ["research", "research-on-dialects", "Research"])
def test_non_commercial_data_may_serve_research(purpose):
    assert use(data=[("chat.csv", licence.find("cc-by-nc-4.0"))], purpose=purpose) == []


def test_a_word_that_only_begins_like_research_is_not_research():
    data = [("chat.csv", licence.find("cc-by-nc-4.0"))]

    assert len(use(data=data, purpose="researched-market")) == 1


@pytest.mark.parametrize(("name", "count"), [("shop", 1), ("llama-shop", 0), ("Llama-shop", 0)])
def test_llama_prefix_is_asked_of_the_name(name, count):
    found = use(base=licence.find("llama3.2"), accepted=["llama3.2"], model_name=name)

    assert len(found) == count
    assert all(problem.fix == "set `name: llama-shop`" for problem in found)


def test_data_made_with_llama_ask_for_the_prefix_too():
    data = [("a.csv", licence.find("llama3.1"))]

    [problem] = use(data=data, accepted=["llama3.1"], model_name="shop")

    assert "`Llama`" in problem.what


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
        *("own-data", "unknown", "taide-g", "taide-l", "apertus", "qwen-research"),
        *("llama2", "llama3", "llama3.3", "llama4"),
    }
    assert all(licence.find(name).no_text_because for name in without)


def test_taide_asks_for_its_own_conditions():
    taide = licence.find("taide-g")
    forbidden = " ".join(rule.en for rule in taide.must_not)

    assert "military" in forbidden
    assert "human-made" in forbidden
    assert taide.notice == GEMMA.notice
    assert taide.unilateral_amendment is True
