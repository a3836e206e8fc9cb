"""`foundry recipe new`: from a data file to a recipe that loads, by flags or by five answers."""

import io
import json
import os
import shutil
from pathlib import Path

import pytest

from foundry.core.language import gettext_in
from foundry.core.load import load_recipe
from tests.tiny_recipe import Outcome, call

FLAGS = ("--licence", "own-data", "--basis", "own-work", "--by", "小店")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a table of 30 rows; no base model is on the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    write("faq.csv", 30)
    return tmp_path


def write(name: str, rows: int) -> None:
    lines = ["問題,回答", *(f"第{n}號多少錢？,{n}元。" for n in range(rows))]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def new(*arguments: str, data: str = "faq.csv") -> Outcome:
    return call("recipe", "new", data, *arguments)


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """Answer the questions; gives what was said to them."""

    def run(*lines: str, language: str = "en") -> Outcome:
        monkeypatch.setenv("FOUNDRY_LANG", language)
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        return new()

    return run


def test_flags_make_the_shortest_recipe():
    outcome = new(*FLAGS)

    assert outcome.code == 0, outcome
    assert Path("faq.yaml").read_text("utf-8") == (
        "# What is not written here has a default: `foundry recipe fill faq.yaml` shows all.\n"
        "schema_version: 1\n"
        "base_model: gemma-3-270m\n"
        "data:\n"
        "  sources:\n"
        "    - path: faq.csv\n"
        "      licence: own-data\n"
        "      declaration: {basis: own-work, by: 小店}\n"
        "  # 20% of the rows are never learned; they are the test.\n"
        "  split: {test: 0.2}\n"
        "# Few rows are a short training, which wants a high learning rate.\n"
        "train: {max_steps: 60, learning_rate: 0.0015}\n"
        "# `gguf` is one file that answers on this machine: `foundry chat`.\n"
        "exports: [{kind: gguf}, {kind: adapter}]\n"
        "# Measured on the test, before and after training.\n"
        "evals: [{kind: exact-match}, {kind: character-f1}, {kind: stop-rate}]\n"
    )


def test_data_are_shown_and_the_next_commands_told():
    assert new(*FLAGS).out.splitlines() == [
        "faq.csv: csv, utf-8",
        "  format: {kind: question-answer, question: 問題, answer: 回答}"
        "  (guessed from the columns)",
        "  columns: 問題, 回答",
        "  line 2:",
        "    user: 第0號多少錢？",
        "    assistant: ⟦0元。⟧",
        "written: faq.yaml",
        "  foundry recipe check faq.yaml",
        "  foundry train faq.yaml --accept-terms gemma",
    ]


def test_recipe_can_be_checked_at_once():
    new(*FLAGS)

    assert call("recipe", "check", "faq.yaml").code == 0


def test_few_rows_are_neither_split_nor_measured():
    write("few.csv", 5)

    new(*FLAGS, data="few.csv")

    recipe = load_recipe("few.yaml").recipe
    assert (recipe.data.split, recipe.evals) == (None, ())


def test_every_option_is_in_the_recipe(tiny_llama: Path):
    options = ("--base", str(tiny_llama), "--name", "my-shop", "--purpose", "research")

    outcome = new(*FLAGS, *options, "--out", "sub/shop.yaml")

    loaded = load_recipe("sub/shop.yaml")
    assert outcome.code == 0, outcome
    assert (loaded.recipe.name, loaded.recipe.purpose) == ("my-shop", "research")
    assert loaded.recipe.data.sources[0].path == "../faq.csv"
    assert loaded.values["exports"] == [{"kind": "adapter"}]
    assert "foundry train sub/shop.yaml --accept-terms unknown" in outcome.out


def test_format_that_was_chosen_is_written():
    block = "{kind: question-answer, question: 回答, answer: 問題}"

    outcome = new(*FLAGS, "--format", block)

    assert f"  format: {block}\n" in Path("faq.yaml").read_text("utf-8")
    assert "assistant: ⟦第0號多少錢？⟧" in outcome.out


def test_format_may_be_its_kind_alone():
    Path("qa.csv").write_text("question,answer,odd\na?,b,c\n", encoding="utf-8")

    assert new(*FLAGS, "--format", "question-answer", data="qa.csv").code == 0
    assert "  format: {kind: question-answer}\n" in Path("qa.yaml").read_text("utf-8")


@pytest.mark.parametrize("base", ["llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct@main"])
def test_name_has_the_word_that_the_licence_of_the_base_asks_for(base: str):
    new(*FLAGS, "--base", base)

    assert load_recipe("faq.yaml").recipe.name == "llama-faq"


def test_missing_options_are_listed_where_nobody_can_be_asked():
    outcome = new("--licence", "own-data")

    assert outcome.code == 2
    assert [line for line in outcome.err.splitlines() if line.startswith("--")] == [
        "--basis: this option is needed",
        "--by: this option is needed",
    ]
    assert not Path("faq.yaml").exists()


def test_five_answers_make_the_recipe(typed):
    outcome = typed("", "cc-by-4.0", "", "小店", "customer-service")

    recipe = load_recipe("faq.yaml").recipe
    source = recipe.data.sources[0]
    assert outcome.code == 0, outcome
    assert (recipe.base_model, recipe.purpose) == ("gemma-3-270m", "customer-service")
    assert (source.licence, source.declaration.basis) == ("CC-BY-4.0", "public-licence")
    assert source.declaration.by == "小店"


def test_questions_are_in_the_persons_language(typed):
    outcome = typed("", "", "1", "小店", "", language="zh-TW")

    assert outcome.code == 0, outcome
    for sentence in (
        "Who declares that? A person or an organisation.",
        "you or your organisation wrote them",
    ):
        assert gettext_in("zh_TW", sentence) in outcome.err
    measured = "Measured on the test, before and after training."
    assert gettext_in("zh_TW", measured) in Path("faq.yaml").read_text("utf-8")


def test_answer_that_cannot_be_is_asked_again(typed):
    outcome = typed(
        *("gema-3-270m", "./nowhere", "gemma-3-270m", "own-dta", "own-data", "9", "contract"),
        *("", "me", ""),
    )

    assert outcome.code == 0, outcome
    for said in ("use `gemma-3-270m`", "use `own-data`", "no such basis", "an answer is needed"):
        assert said in outcome.err
    assert load_recipe("faq.yaml").recipe.data.sources[0].declaration.basis == "contract"


def test_end_of_the_input_writes_nothing(typed):
    assert typed("").code == 130
    assert not Path("faq.yaml").exists()


def test_nothing_is_asked_where_the_flags_are_enough(monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal(""))

    assert new(*FLAGS).code == 0


def test_file_that_is_there_is_not_replaced_unasked():
    Path("faq.yaml").write_text("mine", encoding="utf-8")

    outcome = new(*FLAGS)

    assert outcome.code == 2
    assert "add `--force`" in outcome.err
    assert Path("faq.yaml").read_text("utf-8") == "mine"
    assert new(*FLAGS, "--force").code == 0
    assert load_recipe("faq.yaml").recipe.name == "faq"


def test_dry_run_prints_the_recipe_alone_and_writes_nothing():
    outcome = new(*FLAGS, "--dry-run")

    assert outcome.out.startswith("# What is not written here")
    assert not Path("faq.yaml").exists()


def test_document_holds_what_was_seen_and_written():
    document = new(*FLAGS, "--json").document

    assert (document["path"], document["written"]) == ("faq.yaml", True)
    assert document["text"] == Path("faq.yaml").read_text("utf-8")
    assert document["file"]["format"]["question"] == "問題"
    assert document["commands"][1] == "foundry train faq.yaml --accept-terms gemma"


def test_terminal_is_not_asked_where_a_document_is_wanted(monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("\n" * 5))

    assert new("--json").code == 2


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--licence", "own-dta"), 2, "use `own-data`"),
        (("--basis", "own-wrk"), 2, "use `own-work`"),
        (("--base", "gema-3-270m"), 2, "use `gemma-3-270m`"),
        (("--name", "My Shop"), 2, "name: my-shop"),
        (("--format", "question-answr"), 2, "use `question-answer`"),
        (("--licence", "CC-BY-NC-4.0"), 1, "set `purpose: research`"),
    ],
)
def test_wrong_option_is_told_and_nothing_written(options, code, said):
    outcome = new(*FLAGS, *options)

    assert outcome.code == code
    assert said in outcome.err
    assert not Path("faq.yaml").exists()


def test_wrong_options_are_told_together_each_with_its_place():
    flags = ("--licence", "own-dta", "--basis", "own-wrk", "--by", " ", "--base", "./nowhere")

    told = [line for line in new(*flags).err.splitlines() if not line.startswith("  fix")]

    assert [line.split(": ")[0] for line in told] == ["./nowhere", "own-dta", "own-wrk", "--by"]
    assert told[-1] == "--by: an answer is needed"


def test_data_that_leave_a_doubt_are_refused_with_what_to_write():
    Path("odd.csv").write_text("甲,乙\n1,2\n", encoding="utf-8")

    outcome = new(*FLAGS, data="odd.csv")

    assert outcome.code == 1
    assert "no format is certain" in outcome.err
    assert "--format" in outcome.err


def test_rows_that_cannot_be_used_are_named():
    Path("bad.csv").write_text("問題,回答\n一？,\n", encoding="utf-8")

    outcome = new(*FLAGS, data="bad.csv")

    assert outcome.code == 1
    assert outcome.err.startswith("bad.csv:2: ")


def test_pairs_become_a_recipe_of_the_trainer_that_reads_them():
    lines = ["prompt,chosen,rejected", *(f"{n}?,yes {n},no {n}" for n in range(30))]
    Path("pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    outcome = new(*FLAGS, data="pairs.csv")

    text = Path("pairs.yaml").read_text("utf-8")
    assert outcome.code == 0, outcome
    assert "\ntrain: {kind: dpo}\n" in text
    assert "evals" not in text and "split" not in text
    assert outcome.out.endswith("--accept-terms gemma\n")


def test_folder_of_tables_makes_a_recipe():
    Path("tables").mkdir()
    Path("faq.csv").rename("tables/a.csv")

    outcome = new(*FLAGS, data="tables")

    assert outcome.code == 0, outcome
    assert load_recipe("tables.yaml").recipe.data.sources[0].path == "tables"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("tables/*.csv", "tables"),
        ("tables/**/a.csv", "tables"),
        ("tables/.", "tables"),
        ("tables.v2", "tables.v2"),
        (".", "work"),
        ("*.csv", "work"),
        ("../work/fa?.csv", "work"),
        ("[1].csv", "[1]"),
    ],
)
def test_recipe_of_a_folder_or_a_pattern_is_called_like_the_folder(
    data: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for file in ("tables/a.csv", "tables.v2/a.csv", "faq.csv", "[1].csv"):
        Path("work", file).parent.mkdir(parents=True, exist_ok=True)
        Path("work", file).write_bytes(Path("faq.csv").read_bytes())
    monkeypatch.chdir(tmp_path / "work")

    outcome = new(*FLAGS, data=data)

    assert outcome.code == 0, outcome
    assert load_recipe(f"{name}.yaml").recipe.data.sources[0].path == os.path.relpath(data)


@pytest.mark.parametrize("base", ["models/base", "./models/base", "models/../models/base"])
def test_base_is_found_from_the_recipes_own_folder(
    base: str, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(tiny_llama, "models/base")

    outcome = new(*FLAGS, "--base", base, "--out", "other/dir/x.yaml")

    assert outcome.code == 0, outcome
    monkeypatch.chdir("/")
    found = load_recipe(tmp_path / "other/dir/x.yaml").recipe.base_model
    assert found == "../../models/base"
    assert call("recipe", "check", str(tmp_path / "other/dir/x.yaml")).code == 0


def test_folder_called_like_a_model_is_written_as_a_folder(tiny_llama: Path):
    shutil.copytree(tiny_llama, "gemma-3-270m")

    new(*FLAGS, "--base", "gemma-3-270m")

    assert load_recipe("faq.yaml").recipe.base_model == "./gemma-3-270m"


@pytest.mark.parametrize("name", ["2024", "0x1f", "1e4", "null", "true"])
def test_name_that_yaml_would_take_for_something_else_stays_a_name(name: str):
    outcome = new(*FLAGS, "--name", name)

    assert outcome.code == 0, outcome
    assert load_recipe("faq.yaml").recipe.name == name


def test_missing_data_file_is_told():
    assert new(*FLAGS, data="fq.csv").code == 3


def test_words_that_yaml_would_misread_come_back_as_given():
    Path("faq.csv").rename("a #1: no.csv")

    outcome = new(
        "--licence", "mit", "--basis", "consent", "--by", "A: B, {c}", data="a #1: no.csv"
    )

    source = load_recipe("a #1: no.yaml").recipe.data.sources[0]
    assert outcome.code == 0, outcome
    assert (source.path, source.declaration.by) == ("a #1: no.csv", "A: B, {c}")
    assert json.dumps(source.licence) == '"MIT"'
