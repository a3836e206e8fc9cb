"""Recipes are found by path or name, in a checkout and in a wheel."""

from pathlib import Path

import pytest

from foundry.core import shipped
from foundry.core.errors import ResourceError

NAME = "retail/customer-service"


def test_recipe_is_known_by_its_folder_and_name():
    assert NAME in shipped.recipe_names()


@pytest.mark.parametrize("argument", [NAME, f"{NAME}.yaml", f"recipes/{NAME}.yaml"])
def test_shipped_recipe_is_found_from_anywhere(argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert shipped.find_recipe(argument) == shipped.root() / "recipes" / f"{NAME}.yaml"


def test_file_wins_over_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "retail").mkdir()
    (tmp_path / NAME).touch()

    assert shipped.find_recipe(NAME) == Path(NAME)


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(ResourceError, match="use `retail/customer-service`"):
        shipped.find_recipe("retail/customer-servic")


def test_recipe_like_no_other_points_at_the_list():
    with pytest.raises(ResourceError, match="see `foundry recipe list`"):
        shipped.find_recipe("zzz")


@pytest.mark.parametrize("argument", ["a\0b", "", ".", "../" * 50, "\n"])
def test_absurd_argument_is_refused(argument):
    with pytest.raises(ResourceError, match="no such file"):
        shipped.find_recipe(argument)


def test_path_in_the_checkout_is_named_from_its_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert shipped.label(shipped.find_recipe(NAME)) == f"recipes/{NAME}.yaml"


def test_path_in_the_working_folder_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert shipped.label(tmp_path / "中文 夾" / "a.yaml") == "中文 夾/a.yaml"


def test_other_path_is_named_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert shipped.label(Path("/elsewhere/a.yaml")) == "/elsewhere/a.yaml"


def test_files_of_a_wheel_come_first(tmp_path, monkeypatch):
    (tmp_path / "_shipped" / "recipes" / "law").mkdir(parents=True)
    (tmp_path / "_shipped" / "recipes" / "law" / "statutes.yaml").touch()
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path)

    assert shipped.recipe_names() == ("law/statutes",)
