"""`foundry licence`: recipe, package, model, licence, or a question without any of them."""

import json
from pathlib import Path

import pytest

from tests.tiny_recipe import TinyRecipe, call

QUESTION = ("--base", "llama-3.1-8b", "--data-licence", "CC-BY-NC-4.0", "--purpose", "commercial")


def test_llama_with_non_commercial_data_for_money_is_refused_with_each_clause():
    outcome = call("licence", *QUESTION)

    assert outcome.code == 1
    assert "begin with `Llama`; no name is given (clause 1.b.i)" in outcome.out
    assert "forbids commercial use, and the purpose is `commercial` (clause 2(a)(1))" in outcome.out
    assert "does not go together: 2 conflicts" in outcome.out
    assert "no legal advice" in outcome.out


def test_document_holds_both_languages_and_the_verdict():
    outcome = call("licence", *QUESTION, "--json")
    document = outcome.document

    assert (outcome.code, document["verdict"], document["is_legal_advice"]) == (1, "refused", False)
    assert [c["clause"] for c in document["conflicts"]] == ["1.b.i", "2(a)(1)"]
    assert "禁止商業使用" in document["conflicts"][1]["what"]["zh-TW"]
    assert {"licence": "llama3.1", "clause": "1.b.iii"}.items() <= document["must"][3].items()


def test_duties_of_taide_with_government_data_are_told_in_chinese():
    outcome = call(
        *("licence", "--base", "gemma-3-taide-12b", "--data-licence", "OGDL-1.0"),
        *("--attribution", "內政部 [2026] 實價登錄 v2", "--purpose", "retail", "--lang", "zh-TW"),
    )

    assert outcome.code == 0
    for line in (
        "必須: 把授權給他人或參加排行榜的衍生作品標示為以 TAIDE 為基礎 (7)",
        "必須: 附上寫有固定聲明的 Notice 檔 (3.1(4))",
        "必須: 依附件的「顯名聲明」標示提供機關、年份、資料名稱與版本，衍生物也要標示 (三(二))",
        "可以: 改依 CC BY 4.0 的方式利用 (四(二))",
        "不得: 表示提供機關推薦、同意或核准 (六(一))",
        "沒有衝突",
    ):
        assert line in outcome.out


def test_both_languages_are_printed_one_after_the_other():
    text = call("licence", "cc0-1.0", "--lang", "both").out

    assert text.index("可以: 不受限制地使用") < text.index("may: use, change, pass on")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("gemma", 0, "include a copy of the terms (3.1(2))"),
        ("gemma-3-taide-12b", 0, "based on TAIDE"),
        ("gemma-3-taide-12b-gguf", 1, "(clause 2.4(6))"),
        ("unknown", 1, "nobody knows which terms apply"),
        ("retail/customer-service", 0, "nothing conflicts"),
    ],
)
def test_name_of_licence_model_or_recipe_is_understood(name, code, said):
    outcome = call("licence", name)

    assert outcome.code == code
    assert said in outcome.out


def test_recipe_with_forbidden_data_is_refused_at_each_file(recipe: TinyRecipe):
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["data"]["sources"][0] |= {"licence": "CC-BY-ND-4.0", "generated_by": ["llama-3.1-8b"]}
    recipe.file.write_text(json.dumps(values), encoding="utf-8")

    outcome = call("licence", str(recipe.file), "--json")

    found = {(c["rule"], c["where"]) for c in outcome.document["conflicts"]}
    assert found == {
        ("unknown-licence", "base_model"),
        ("no-derivatives", "rows.csv"),
        ("name-prefix", "name"),
    }


def test_package_says_what_it_was_made_under(made_package: Path):
    outcome = call("licence", str(made_package), "--json")

    assert (outcome.code, outcome.document["use"]["purpose"]) == (0, "customer-service")
    assert [x["name"] for x in outcome.document["licences"]] == ["gemma", "cc0-1.0"]


@pytest.fixture
def made_package(tmp_path: Path) -> Path:
    from foundry.delivery.package import build_package
    from tests.delivery.made_run import make_run

    inputs = make_run(tmp_path)
    return inputs.run.file(build_package(inputs).path)


def test_two_questions_at_once_are_refused():
    outcome = call("licence", "gemma", "--base", "llama-3.1-8b")

    assert outcome.code == 2
    assert "two questions" in outcome.err


@pytest.mark.parametrize(
    ("name", "fix"),
    [("gema", "use `gemma`"), ("retail/costumer-service", "use `retail/customer-service`")],
)
def test_name_of_nothing_is_told_with_the_nearest(name: str, fix: str):
    outcome = call("licence", name)

    assert outcome.code == 3
    assert outcome.err == (
        f"{name}: no licence, base model, package or recipe is called so\n  fix: {fix}\n"
    )


def test_a_question_about_nothing_is_refused():
    assert call("licence").code == 2
