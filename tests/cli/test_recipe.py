"""`foundry recipe` as a person and as a program see it."""

import json
import subprocess
import sys

import jsonschema
import pytest

SHOP = "retail/customer-service"
BAD = """\
schema_version: 1
name: shop
title: {zh-TW: 店, en: Shop}
extends: [adapters/lroa]
base_model: gemma-3-270m
purpose: customer-service
learning_rate: 1e-4
data:
  sources:
    - {path: a.csv, licence: CC0-1.0, declaration: {basis: own-work, by: Us}}
  format: {kind: question-answer}
  format: {kind: chat}
adapter: {rnak: 16}
train: {max_steps: fifty}
"""
PLACES = ["4:11: extends.0", "7:1: learning_rate", "12:3: data.format", "13:11: adapter.rnak"]
PLACES += ["14:9: train.max_steps"]


@pytest.fixture
def bad(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "BAD.yaml").write_text(BAD, encoding="utf-8")
    return "BAD.yaml"


def test_list_names_title_base_model_and_purpose(told):
    code, out, err = told("recipe", "list")

    assert (code, err) == (0, "")
    assert f"{SHOP}  Retail customer service  gemma-3-270m  customer-service" in out


def test_list_is_in_the_language_in_force(told, monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh-TW")

    assert "零售客服問答" in told("recipe", "list")[1]


def test_list_as_json(told):
    code, out, __ = told("recipe", "list", "--json")

    assert code == 0
    assert {
        "name": SHOP,
        "title": "Retail customer service",
        "base_model": "gemma-3-270m",
        "purpose": "customer-service",
    } in json.loads(out)["recipes"]


def test_show_prints_the_file_with_its_comments(told):
    code, out, err = told("recipe", "show", SHOP)

    assert (code, err) == (0, "")
    assert out.startswith("# A shop's customer service")


def test_show_as_json_has_every_value(told):
    __, out, __ = told("recipe", "show", SHOP, "--json")
    shown = json.loads(out)

    assert shown["path"] == f"recipes/{SHOP}.yaml"
    assert shown["recipe"]["adapter"]["rank"] == 16


def test_check_of_a_good_recipe_says_so(told):
    code, out, err = told("recipe", "check", SHOP)

    assert (code, err) == (0, "")
    assert out.endswith(f"recipes/{SHOP}.yaml: no mistakes\n")


def test_check_of_a_good_recipe_as_json(told):
    code, out, __ = told("recipe", "check", SHOP, "--json")
    document = json.loads(out)

    assert (code, document["ok"], document["problems"]) == (0, True, [])
    assert document["path"] == f"recipes/{SHOP}.yaml"
    assert document["name"] == "retail-customer-service"
    assert [len(file["rows"]) for file in document["files"]] == [3, 0, 0, 0]


def test_check_shows_how_files_are_read_and_what_is_learned(told, recipe):
    __, out, __ = told("recipe", "check", str(recipe.file))

    assert out.splitlines()[:5] == [
        "rows.csv: csv, utf-8",
        "  format: {kind: question-answer, question: 問題, answer: 回答}  (as the recipe says)",
        "  columns: 問題, 回答",
        "  line 2: 20 of 64 tokens:",
        "    <|begin_of_text|><|start_header_id|>user<|end_header_id|>",
    ]
    assert out.count("⟦三百元。<|eot_id|>⟧") == 2


def test_check_without_the_base_model_says_so_and_shows_turns(told):
    __, out, __ = told("recipe", "check", SHOP, "--set", "base_model=nobody/nothing")

    assert out.startswith("nobody/nothing is not on this machine yet, so the turns are shown ")
    assert "    assistant: ⟦" in out


def test_check_tells_a_fault_of_the_first_rows_by_line(told, recipe):
    rows = recipe.folder / "rows.csv"
    rows.write_text("問題,回答\n售價？,三百元。\n保固？,\n", encoding="utf-8")

    code, out, err = told("recipe", "check", str(recipe.file))

    assert code == 1
    assert err.startswith("rows.csv:3: ")
    assert "⟦三百元。<|eot_id|>⟧" in out


def test_check_tells_a_fault_of_the_first_rows_as_json(told, recipe):
    rows = recipe.folder / "rows.csv"
    rows.write_text("問題,回答\n售價？,三百元。\n保固？,\n", encoding="utf-8")

    code, out, err = told("recipe", "check", str(recipe.file), "--json")
    document = json.loads(out)

    assert (code, err, document["ok"], document["exit_code"]) == (1, "", False, 1)
    assert [problem["where"] for problem in document["problems"]] == ["rows.csv:3"]
    assert len(document["files"][0]["rows"]) == 1


def test_check_shows_what_a_terminal_would_obey_as_its_number(told, recipe):
    rows = recipe.folder / "rows.csv"
    rows.write_text("問題,回答\n售\x1b[2J價？,三　百\u202e元。\n", encoding="utf-8")

    __, out, __ = told("recipe", "check", str(recipe.file))

    assert "售\\u001b[2J價？" in out
    assert "三　百\\u202e元。" in out


def test_check_of_a_bad_recipe_prints_every_problem_with_its_fix(told, bad):
    code, out, err = told("recipe", "check", bad)
    lines = err.splitlines()

    assert (code, out) == (2, "")
    assert [f"BAD.yaml:{place}" for place in PLACES] == [
        ": ".join(line.split(": ")[:2]) for line in lines[::2]
    ]
    assert all(line.startswith("  fix: ") for line in lines[1::2])


def test_check_of_a_bad_recipe_as_json_is_one_document(told, bad):
    code, out, err = told("recipe", "check", bad, "--json")
    document = json.loads(out)

    assert (code, err, document["ok"], document["exit_code"]) == (2, "", False, 2)
    assert [problem["where"] for problem in document["problems"]] == [
        f"BAD.yaml:{place}" for place in PLACES
    ]
    assert all(problem["fix"] for problem in document["problems"])


def test_check_applies_overrides(told):
    code, __, err = told("recipe", "check", SHOP, "--set", "seed=1", "--set", "train.max_step=5")

    assert code == 2
    assert err == "--set train.max_step: unknown key\n  fix: rename it to `max_steps`\n"


def test_check_misses_a_data_file(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = BAD.replace("lroa", "lora").replace("rnak", "rank").replace("fifty", "50")
    text = text.replace("learning_rate: 1e-4\n", "").replace("  format: {kind: chat}\n", "")
    (tmp_path / "good.yaml").write_text(text, encoding="utf-8")

    code, __, err = told("recipe", "check", "good.yaml")

    assert code == 3
    assert err.startswith("good.yaml:9:8: data.sources.0.path: no such file: ")


def test_check_of_a_missing_recipe_names_the_nearest(told):
    code, __, err = told("recipe", "check", "retail/customer-servic")

    assert code == 3
    assert err.endswith(f"fix: use `{SHOP}`\n")


def test_fill_prints_defaults_with_their_origin(told):
    code, out, err = told("recipe", "fill", SHOP, "--set", "train.max_steps=7")

    assert (code, err) == (0, "")
    assert "  rank: 16  # configs/adapters/lora.yaml:" in out
    assert "  max_steps: 7  # --set train.max_steps\n" in out
    assert "  weight_decay: 0.0  # default\n" in out


def test_fill_as_json_has_values_and_origins(told):
    __, out, __ = told("recipe", "fill", SHOP, "--json")
    filled = json.loads(out)

    assert filled["recipe"]["train"]["weight_decay"] == 0.0
    assert filled["origins"]["train.weight_decay"] == "default"


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_schema_is_a_json_schema(told, option):
    code, out, __ = told("recipe", "schema", *option)

    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


@pytest.mark.parametrize("verb", ["list", "show", "check", "fill", "schema"])
def test_help_has_one_line_and_an_example_that_runs(told, verb):
    __, out, __ = told("recipe", verb, "--help")
    line = next(line for line in out.splitlines() if "Example: foundry " in line)
    command = line.split("Example: foundry ")[1].split(" > ")[0].split()

    assert told(*command)[0] == 0


def test_hostile_recipe_leaves_no_traceback(tmp_path):
    path = tmp_path / "bomb.yaml"
    path.write_text("a: &a [x, x]\nb: !!python/object/apply:os.system [*a]\n", encoding="utf-8")

    command = [sys.executable, "-m", "foundry", "recipe", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert f"{path}:2:4: tags" in done.stderr
    assert "Traceback" not in done.stderr
