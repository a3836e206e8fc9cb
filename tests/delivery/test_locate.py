"""A package is found by its folder, its run, or the name of its recipe."""

import os
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.delivery.locate import find_package


def made(runs: Path, run: str, *, at: int) -> Path:
    folder = runs / run / "package"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    (folder / "SHA256SUMS").write_text("")
    os.utime(folder / "SHA256SUMS", (at, at))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    made(tmp_path, "shop-00000000", at=300)
    made(tmp_path, "shop-11111111", at=200)
    made(tmp_path, "shop-extra-22222222", at=900)
    (tmp_path / "shop-33333333").mkdir()
    return tmp_path


def test_folder_run_and_run_name(runs):
    package = runs / "shop-11111111" / "package"

    assert find_package(str(package), runs) == package
    assert find_package(str(package.parent), runs) == package
    assert find_package("shop-11111111", runs) == package


def test_recipe_means_its_newest_package(runs):
    assert find_package("shop", runs) == runs / "shop-00000000" / "package"
    assert find_package("shop-extra", runs) == runs / "shop-extra-22222222" / "package"


def test_unknown_name_lists_what_there_is(runs):
    with pytest.raises(ResourceError, match="use one of: shop, shop-extra"):
        find_package("bakery", runs)


def test_run_without_a_package_is_not_one(runs):
    with pytest.raises(ResourceError, match="no package here"):
        find_package("shop-33333333", runs)


def test_no_runs_at_all_names_the_command(tmp_path):
    with pytest.raises(ResourceError, match="foundry train"):
        find_package("shop", tmp_path / "none")
