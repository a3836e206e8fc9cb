"""The first rows are shown as a run trains them; what is wrong with them is collected."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from foundry.core.errors import RecipeError
from foundry.core.load import load_recipe
from foundry.data import archives, places
from foundry.encode.samples import as_marked
from foundry.planning.dry_render import DryRender, RenderedRow, dry_render
from foundry.planning.first_look import MOST_FILES
from tests.tiny_recipe import TinyRecipe


def rendered(recipe: TinyRecipe, *sets: str) -> DryRender:
    return dry_render(load_recipe(recipe.file, sets))


def marked(row: RenderedRow) -> str:
    """The text of a row with what is learned between ⟦ and ⟧."""
    return "".join(f"⟦{p['text']}⟧" if p["supervised"] else p["text"] for p in row.parts)


def write_rows(recipe: TinyRecipe, *lines: str) -> None:
    text = "\n".join(["問題,回答", *lines]) + "\n"
    (recipe.folder / "rows.csv").write_text(text, encoding="utf-8")


def test_rows_are_those_of_the_mask_report(recipe: TinyRecipe):
    (file,) = rendered(recipe).files
    first = marked(file.rows[0])

    outcome = recipe.train("--until", "encode", "--set", "data.split=", "--set", "evals=[]")

    report = json.loads(recipe.run.file("data", "mask_report.json").read_text("utf-8"))
    sample = report["samples"][0]
    assert outcome.code == 0, outcome
    assert as_marked(sample) == first
    assert sample["tokens"] == file.rows[0].tokens


def test_three_rows_of_each_file_to_learn_from_are_shown(recipe: TinyRecipe):
    (file,) = rendered(recipe).files

    assert [row.line for row in file.rows] == [2, 3, 4]
    assert marked(file.rows[0]).endswith("⟦三百元。<|eot_id|>⟧")
    assert (file.kind, file.encoding, file.guessed) == ("csv", "utf-8", False)


def test_format_is_guessed_where_the_recipe_names_none(recipe: TinyRecipe):
    (file,) = rendered(recipe, "data.format={kind: auto}").files

    assert file.guessed
    assert file.format["question"] == "問題"


def test_file_to_test_on_is_looked_at_but_not_rendered(recipe: TinyRecipe):
    tests = "data.tests=[{name: more, path: rows.csv}]"

    found = rendered(recipe, tests)

    assert [(file.key, len(file.rows)) for file in found.files] == [
        *(("data.sources.0.path", 3), ("data.tests.0.path", 0)),
    ]


def test_row_that_is_refused_is_a_problem_with_its_line(recipe: TinyRecipe):
    write_rows(recipe, "一？,1", "二？,", "三？,3")

    found = rendered(recipe)

    assert [problem.where for problem in found.problems] == ["rows.csv:3"]
    assert [row.line for row in found.files[0].rows] == [2, 4]


def test_row_that_is_too_long_is_marked(recipe: TinyRecipe):
    write_rows(recipe, "一？,1", f"二？,{'好' * 200}")

    found = rendered(recipe)

    assert [row.is_too_long for row in found.files[0].rows] == [False, True]
    assert found.problems == ()


def test_row_that_is_too_long_is_a_problem_where_the_run_would_fail(recipe: TinyRecipe):
    write_rows(recipe, f"二？,{'好' * 200}")

    (problem,) = rendered(recipe, "encode.overlong=fail").problems

    assert problem.where == "rows.csv:2"
    assert "the limit is 64" in problem.what


def test_both_answers_of_a_preference_are_shown(recipe: TinyRecipe):
    row = {"prompt": "多少錢？", "chosen": "三百元。", "rejected": "不知道。"}
    (recipe.folder / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")

    found = rendered(recipe, "data.sources.0.path=rows.jsonl", "data.format={kind: auto}")

    (file,) = found.files
    assert file.format["kind"] == "preference"
    assert ["⟦三百元。" in marked(row) for row in file.rows] == [True, False]
    assert ["⟦不知道。" in marked(row) for row in file.rows] == [False, True]
    assert "the rows are preference data" in found.problems[0].what


def test_call_of_a_tool_is_learned(recipe: TinyRecipe):
    call = {"type": "function", "function": {"name": "price", "arguments": {"item": "fan"}}}
    tool = {"type": "function", "function": {"name": "price", "parameters": {}}}
    messages = [
        {"role": "user", "content": "How much?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    text = json.dumps({"messages": messages, "tools": [tool]})
    (recipe.folder / "rows.jsonl").write_text(text, encoding="utf-8")

    found = rendered(recipe, "data.sources.0.path=rows.jsonl", "data.format={kind: auto}")

    learned = "".join(p["text"] for p in found.files[0].rows[0].parts if p["supervised"])
    assert found.problems == ()
    assert "price" in learned and "fan" in learned


def test_system_text_of_the_recipe_is_shown(recipe: TinyRecipe):
    (file,) = rendered(recipe, "encode.system=你是店員。").files

    assert "你是店員。" in file.rows[0].parts[0]["text"]


def test_without_the_base_the_turns_are_shown(recipe: TinyRecipe):
    found = rendered(recipe, "base_model=nobody/nothing")

    assert not found.is_base_here
    assert marked(found.files[0].rows[0]) == "user: 售價0？\nassistant: ⟦三百元。⟧"
    assert found.files[0].rows[0].tokens is None


def test_base_that_does_not_exist_is_told(recipe: TinyRecipe):
    with pytest.raises(RecipeError, match="no such base model"):
        rendered(recipe, "base_model=gema")


def test_file_that_cannot_be_read_hides_no_other(recipe: TinyRecipe):
    (recipe.folder / "odd.csv").write_text("甲,乙\n1,2\n", encoding="utf-8")
    values = json.loads(recipe.file.read_text("utf-8"))
    values["data"]["sources"].insert(0, {**values["data"]["sources"][0], "path": "odd.csv"})
    values["data"]["format"] = {"kind": "auto"}
    recipe.file.write_text(json.dumps(values), encoding="utf-8")

    found = rendered(recipe)

    assert [file.name for file in found.files] == ["rows.csv"]
    assert "no format is certain" in found.problems[0].what


def test_files_of_a_folder_are_looked_at_up_to_five(recipe: TinyRecipe):
    folder = recipe.folder / "rows"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.csv").write_bytes((recipe.folder / "rows.csv").read_bytes())

    found = rendered(recipe, "data.sources.0.path=rows")

    assert [file.name for file in found.files] == [f"rows/{number}.csv" for number in range(5)]
    assert found.more_files == 2


def test_archives_behind_the_files_that_are_looked_at_stay_closed(
    recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):
    unpacked = list[str]()

    def unpack(archive: Path, work: Path) -> None:
        unpacked.append(archive.name)
        archives.unpack(archive, work)

    monkeypatch.setattr(places, "unpack", unpack)
    (recipe.folder / "many").mkdir()
    for number in range(MOST_FILES):
        with zipfile.ZipFile(recipe.folder / "many" / f"{number}.zip", "w") as archive:
            for name in ("a.csv", "b.csv"):
                archive.write(recipe.folder / "rows.csv", name)

    found = rendered(recipe, "data.sources.0.path=many")

    assert len(found.files) == MOST_FILES
    assert unpacked == ["0.zip", "1.zip", "2.zip"]
    assert found.more_files == 3  # one of the third archive, and two that stay closed


def test_files_of_an_archive_are_looked_at(recipe: TinyRecipe):
    with zipfile.ZipFile(recipe.folder / "rows.zip", "w") as archive:
        archive.write(recipe.folder / "rows.csv", "in/rows.csv")

    (file,) = rendered(recipe, "data.sources.0.path=rows.zip").files

    assert file.name == "rows.zip/in/rows.csv"
    assert marked(file.rows[0]).endswith("⟦三百元。<|eot_id|>⟧")


def test_column_that_no_row_has_is_told(recipe: TinyRecipe):
    (problem,) = rendered(recipe, "data.format.context=回達", "data.split.group_by=問題").problems

    assert problem.what == "no column `回達`; there are: 問題, 回答"


def test_neither_torch_nor_transformers_is_loaded(recipe: TinyRecipe):
    code = (
        "import sys; from foundry.cli.main import main; code = main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "recipe", "check", str(recipe.file)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "⟦三百元。<|eot_id|>⟧" in done.stdout
    assert not {"torch", "transformers", "trl", "pyarrow"} & set(done.stderr.split())
