"""The page on bills: its commands run and say what it shows, its files are those of a package."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from foundry.core.recipe import Recipe
from foundry.delivery import bills, sovereignty
from tests.tiny_recipe import ACCEPT, RECIPE, TinyRecipe, call

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bills.md").read_text(encoding="utf-8")


def commands(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_table_lists_the_bills():
    assert re.findall(r"^\| `([a-z.]+json)` \|", PAGE, re.M) == list(bills.BILLS)


def test_each_way_of_measuring_is_explained():
    for way in sovereignty.MEASURED_BY:
        assert f"`{way}`" in PAGE


def test_refusal_is_what_the_page_shows():
    (block,) = commands("console")
    command, *shown = block.splitlines()

    outcome = call(*shlex.split(command.removeprefix("$ foundry ")))

    assert outcome.err.splitlines() == shown
    assert outcome.code == 1


@pytest.mark.parametrize("block", commands("yaml"))
def test_blocks_of_a_recipe_load(block):
    assert Recipe.model_validate({**RECIPE, **yaml.safe_load(block)})


def test_package_made_again_with_the_setting_of_the_page(finished: TinyRecipe, monkeypatch):
    setting, verify = commands("sh")[1].splitlines()
    name, _, rest = setting.partition("=")
    seconds, *words = rest.replace("RECIPE", str(finished.file)).split()
    before = every_byte(finished.package)
    shutil.rmtree(finished.package)
    again = finished.train()
    assert again.code == 0, again.err
    same = every_byte(finished.package)
    shutil.rmtree(finished.package)
    monkeypatch.setenv(name, seconds)

    made = call(*words[1:], "--runs", str(finished.runs), *ACCEPT)
    verified = call(*verify.replace("PACKAGE", str(finished.package)).split()[1:])

    changed = every_byte(finished.package)
    assert (made.code, verified.code) == (0, 0), made.err + verified.err
    assert same == before
    assert {n for n in before if before[n] != changed[n]} == {
        *("bom.cdx.json", "foundry/steps.json", "provenance.intoto.json", "SHA256SUMS")
    }
    timestamp = json.loads(changed["bom.cdx.json"])["metadata"]["timestamp"]
    assert timestamp == "2026-09-21T14:13:20Z"


def every_byte(package: Path) -> dict[str, bytes]:
    files = sorted(p for p in package.rglob("*") if p.is_file())
    return {path.relative_to(package).as_posix(): path.read_bytes() for path in files}
