"""The page on cards: the hub reads the card as it says, and `verify` says what it shows."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from foundry.delivery.claims import WORDING
from foundry.delivery.package import build_package
from tests.delivery.made_run import make_run
from tests.tiny_recipe import call

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cards.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = make_run(tmp_path_factory.mktemp("run"))
    return Path(inputs.run.file(build_package(inputs).path))


@pytest.fixture
def beside(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with `package` in it."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, tmp_path / "package"))


def test_hubs_reader_takes_the_card(beside: Path, capsys: pytest.CaptureFixture[str]):
    exec(compile(block("python"), "docs/cards.md", "exec"), {})

    said = capsys.readouterr().out
    assert said.startswith(
        "gemma google/gemma-3-270m exact-match 1.0 {'n': 12, 'interval_low': 0.71"
    )


def test_commands_say_what_the_page_shows(beside: Path):
    shown = block("console").splitlines()
    for line in (line for line in shown if line.startswith("$ sed ")):
        subprocess.run(shlex.split(line.removeprefix("$ ")), check=True)
    outcome = call("verify", "package")

    said = [line for line in shown if not line.startswith("$ ")]
    assert "$ foundry verify package" in shown and len(said) == 2
    assert all(line in outcome.err for line in said), outcome.err
    assert outcome.code == 1


def test_claim_is_one_of_the_package(beside: Path):
    document = json.loads((beside / "claims.json").read_text(encoding="utf-8"))

    assert json.loads(block("json")) in document["claims"]


def test_wording_is_all_there_is():
    assert all(f"`{word}`" in PAGE for word in WORDING)
