"""The licence files of a package, and a package that lacks one."""

import pytest

from foundry.policy import licence
from foundry.policy.notices import missing_notices, notices

GEMMA_SENTENCE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms"
)
GEMMA, CC0, OGDL = (licence.find(name) for name in ("gemma", "cc0-1.0", "ogdl-1.0"))
CHANGE = "adapter/adapter_model.safetensors: LoRA weights were trained"


def made(base=GEMMA, data=(("train.csv", CC0),), **attributions):
    return notices(
        base=base,
        data=data,
        model_name="retail-customer-service",
        changes=[CHANGE],
        attributions=attributions,
    )


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
    files = notices(
        base=GEMMA,
        data=[("gov.csv", OGDL)],
        model_name="m",
        changes=[CHANGE],
        attributions={"gov.csv": statement},
    )

    assert statement in files["NOTICE"]


def test_same_input_gives_the_same_bytes():
    assert made() == made()


def test_whole_package_lacks_nothing(package):
    assert missing_notices(package(made()), [GEMMA, CC0]) == []


@pytest.mark.parametrize("name", [n for n in made() if n != "licences/CC0-1.0.txt"])
def test_package_that_lacks_a_required_file_is_refused(package, name):
    folder = package(made())
    (folder / name).unlink()

    assert [problem.where for problem in missing_notices(folder, [GEMMA])] == [name]


def test_notice_with_other_words_is_refused(package):
    files = made()
    files["NOTICE"] = files["NOTICE"].replace("Gemma is provided", "Gemma was provided")

    [problem] = missing_notices(package(files), [GEMMA])

    assert problem.where == "NOTICE"
    assert GEMMA_SENTENCE in problem.what


def test_terms_with_other_words_are_refused(package):
    files = made()
    files["licences/GEMMA_TERMS_OF_USE.txt"] += "\nnot binding\n"

    [problem] = missing_notices(package(files), [GEMMA])

    assert problem.where == "licences/GEMMA_TERMS_OF_USE.txt"


def test_empty_statement_of_changes_is_refused(package):
    files = {**made(), "CHANGES.md": "\n"}

    assert [p.where for p in missing_notices(package(files), [GEMMA])] == ["CHANGES.md"]


def test_sentence_to_display_must_stand_in_the_card(package):
    llama = licence.find("llama3.2")
    folder = package(made(base=llama))

    assert [p.where for p in missing_notices(folder, [llama])] == ["README.md"]

    package({}, card="Built with Llama")
    assert missing_notices(folder, [llama]) == []


def test_terms_we_do_not_have_must_be_put_there_by_hand(package):
    taide = licence.find("taide-g")
    folder = package(made(base=taide))

    [problem] = missing_notices(folder, [taide])
    assert problem.where == "licences/taide-g.*"
    assert "drive.google.com" in (problem.fix or "")

    (folder / "licences").mkdir(exist_ok=True)
    (folder / "licences" / "taide-g.pdf").write_bytes(b"%PDF-1.7")
    assert missing_notices(folder, [taide]) == []
