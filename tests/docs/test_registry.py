"""The page on signatures and the registry: its commands run, one after the other."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from foundry.store.registry import STAGES
from tests.delivery.published import build
from tests.once import once
from tests.tiny_recipe import call

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "registry.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.S)


def test_commands_of_the_page_run_and_say_what_it_shows(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(once(tmp_path_factory, "package", build) / "package", "package")
    steps = [step.splitlines() for block in BLOCKS for step in re.split(r"^\$ ", block, flags=re.M)]
    steps = [step for step in steps if step]
    assert len(steps) == 11

    for command, *shown in steps:
        words = shlex.split(command.replace("PACKAGE", "package").removeprefix("foundry "))
        outcome = call(*words)

        assert outcome.code == 0, (command, outcome)
        assert set(shown) <= set(outcome.out.splitlines()), (command, outcome)


def test_page_names_every_stage():
    assert all(f"`{stage}`" in PAGE for stage in STAGES)
