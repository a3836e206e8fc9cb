"""The licence files of a package, and a package that lacks one."""

import pytest

from foundry.policy import licence
from foundry.policy.duties import duties, missing
from foundry.policy.notices import notices
from foundry.policy.use import Bound

GEMMA_SENTENCE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms"
)
GEMMA, CC0, OGDL = (licence.find(name) for name in ("gemma", "cc0-1.0", "ogdl-1.0"))
CHANGE = "`adapter/`: LoRA weights were trained"
CC0_DATA = Bound("train.csv", CC0, "data")


def made(base=GEMMA, data=CC0_DATA):
    bound = [Bound("base_model", base, "base"), data]
    return notices(bound, model_name="retail-customer-service", changes=[CHANGE])


def lacking(folder, base=GEMMA):
    """Where something is missing of what the base asks for."""
    wanted = duties([Bound("base_model", base, "base")], ["adapter"])
    return list(dict.fromkeys(p.where for p in missing(folder, wanted, "retail")))


@pytest.fixture
def package(tmp_path):
    """Writes the given files as a package with a card."""

    def write(files, card=""):
        for name, text in {**files, "README.md": card}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        return tmp_path

    return write


def test_gemma_package_carries_terms_policy_notice_and_changes():
    files = made()

    assert sorted(files) == [
        "CHANGES.md",
        "LICENCE.md",
        "NOTICE",
        "licences/CC0-1.0.txt",
        "licences/GEMMA_PROHIBITED_USE_POLICY.txt",
        "licences/GEMMA_TERMS_OF_USE.txt",
    ]
    assert GEMMA_SENTENCE in files["NOTICE"].splitlines()
    assert "Section 3: DISTRIBUTION AND RESTRICTIONS" in files["licences/GEMMA_TERMS_OF_USE.txt"]
    assert f"- {CHANGE}" in files["CHANGES.md"]


def test_use_restrictions_are_passed_on_as_a_condition_in_both_languages():
    terms = made()["LICENCE.md"]

    assert "bind the next recipient in the same way" in terms
    assert "照樣約束下一位收受人" in terms


def test_llama_sentences_stand_in_the_notice():
    notice = made(base=licence.find("llama3.1"))["NOTICE"]

    assert "Built with Llama" in notice.splitlines()
    assert "Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright ©" in notice


def test_attribution_of_government_data_stands_in_the_notice():
    statement = "經濟部 [2025] 商品資料 v1"
    notice = made(data=Bound("gov.csv", OGDL, "data", attribution=statement))["NOTICE"]

    title = "Open Government Data License, version 1.0 (Taiwan)"
    assert f"{statement} ({title}, https://data.gov.tw/license)" in notice.splitlines()


def test_source_without_a_statement_is_named_by_its_file():
    notice = made(data=Bound("gov.csv", OGDL, "data"))["NOTICE"]

    assert any(line.startswith("gov.csv (Open Government") for line in notice.splitlines())


def test_taide_is_named_with_its_home_in_both_languages_and_gemmas_terms_go_along():
    files = made(base=licence.find("taide-g"))

    for sentence in ("This model is based on TAIDE.", "本模型以 TAIDE 為基礎。", GEMMA_SENTENCE):
        assert sentence in files["NOTICE"].splitlines()
    assert "https://taide.tw" in files["NOTICE"]
    assert "licences/GEMMA_TERMS_OF_USE.txt" in files


def test_same_input_gives_the_same_bytes():
    assert made() == made()


def test_whole_package_lacks_nothing(package):
    assert lacking(package(made())) == []


@pytest.mark.parametrize("name", [n for n in made() if n != "licences/CC0-1.0.txt"])
def test_package_that_lacks_a_required_file_is_refused(package, name):
    folder = package(made())
    (folder / name).unlink()

    assert lacking(folder) == [name]


def test_notice_with_other_words_is_refused_with_the_clause(package):
    files = made()
    files["NOTICE"] = files["NOTICE"].replace("Gemma is provided", "Gemma was provided")
    wanted = duties([Bound("base_model", GEMMA, "base")], ["adapter"])

    [problem] = missing(package(files), wanted, "retail")

    assert problem.where == "NOTICE"
    assert f"asks for this sentence: {GEMMA_SENTENCE} (clause 3.1(4))" in problem.what


def test_terms_with_other_words_are_refused(package):
    files = made()
    files["licences/GEMMA_TERMS_OF_USE.txt"] += "\nnot binding\n"

    assert lacking(package(files)) == ["licences/GEMMA_TERMS_OF_USE.txt"]


def test_empty_statement_of_changes_is_refused(package):
    assert lacking(package({**made(), "CHANGES.md": "\n"})) == ["CHANGES.md"]


def test_sentence_to_display_must_stand_in_the_card(package):
    llama = licence.find("llama3.2")
    folder = package(made(base=llama))

    assert lacking(folder, llama) == ["README.md", "package.json"]

    package({}, card="Built with Llama")
    assert lacking(folder, llama) == ["package.json"]


def test_terms_we_do_not_have_must_be_put_there_by_hand(package):
    taide = licence.find("taide-g")
    folder = package(made(base=taide), card="\n".join(s.en + s.zh_TW for s in taide.statements))

    assert lacking(folder, taide) == ["licences/taide-g.*"]

    (folder / "licences").mkdir(exist_ok=True)
    (folder / "licences" / "taide-g.pdf").write_bytes(b"%PDF-1.7")
    assert lacking(folder, taide) == []
