"""Every command that the pages tell people to type exists; those of the README are run."""

import re
import shutil
from pathlib import Path

import pytest

from foundry.cli.main import VERBS
from tests.commands import commands, parse
from tests.tiny_recipe import ACCEPT, TinyRecipe, call

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile"),
    *(
        "docs/performance.md",
        "docs/gpu.md",
        "docs/evaluation.md",
        "docs/mixing.md",
        "docs/tracking.md",
        "docs/launch.md",
        "docs/registry.md",
    ),
)
FOUNDRY = re.compile(r"(?:`|^|\$\(BIN\)/)(foundry [a-z][^`\n|]*)", re.MULTILINE)
MAKE = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def found(pattern: re.Pattern[str], pages: tuple[str, ...] = PAGES) -> list[str]:
    """What a pattern finds on the pages, each once; not in what a command printed or wrote."""
    pages_read = [(ROOT / page).read_text(encoding="utf-8") for page in pages]
    whole_lines = [re.sub(r"\\\n\s*", "", page) for page in pages_read]
    texts = [re.sub(r"```(?:text|yaml)\n.*?```", "", page, flags=re.DOTALL) for page in whole_lines]
    return list(dict.fromkeys(hit.strip() for text in texts for hit in pattern.findall(text)))


COMMANDS = found(FOUNDRY)
OPTIONS = ("--licence", "mit", "--basis", "own-work", "--by", "me")
IN_README = found(FOUNDRY, ("README.md",))


def test_the_pages_show_commands():
    assert len(IN_README) >= 6
    assert {"setup", "demo", "test"} <= set(found(MAKE))


@pytest.mark.parametrize("target", found(MAKE))
def test_target_exists(target: str):
    assert target in TARGETS


@pytest.mark.parametrize("line", COMMANDS)
def test_command_parses(line: str):
    words = line.split()
    is_whole = tuple(words[1:]) in dict(commands())
    if len(words) > 2 and not is_whole:
        parse(line)
    else:  # a verb is only mentioned
        assert is_whole or words[1] in VERBS


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder with the README's table in it; no base model is on the machine."""
    rows = ["電風扇多少錢？,售價三百元。", *(f"第{n}號多少錢？,售價{n}元。" for n in range(29))]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    (tmp_path / "faq.csv").write_text("\n".join(["問題,回答", *rows]) + "\n", encoding="utf-8")
    return tmp_path


def test_own_file_becomes_the_recipe_that_the_readme_shows(own_file: Path):
    (line,) = (line for line in IN_README if line.startswith("foundry recipe new faq.csv"))
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[3]
    output, recipe = re.findall(r"```(?:text|yaml)\n(.*?)```", section, re.DOTALL)

    outcome = call(*line.split()[1:])

    assert outcome.out == output
    assert (own_file / "faq.yaml").read_text(encoding="utf-8") == recipe


@pytest.mark.parametrize("line", IN_README)
def test_command_of_the_readme_runs(finished: TinyRecipe, own_file: Path, line: str):
    if "faq.yaml" in line or "DATA" in line:
        call("recipe", "new", "faq.csv", *OPTIONS)
    parts = {
        "DATA": " ".join(["faq.csv", *OPTIONS, "--out", "other.yaml"]),
        "RECIPE": f"{finished.file}",
        "PACKAGE": f"{finished.package}",
        "RUN": finished.run.path.name,
        "OTHER": "other-0",
        "STUDY": "adapters-shop --dry-run",
        "TEXT": "售價4？",
    }
    words = " ".join(parts.get(word, word) for word in line.split()[1:]).split()
    if "--sweep" in words:  # the six trainings themselves run in tests/studies
        words += [*ACCEPT, "--dry-run"]
    elif words[0] == "train":
        words = finished.arguments(*words[2:])
    if words[0] == "launch":
        words += ACCEPT
    if "policy=tw_public_sector" in words:  # which refuses weights of unknown origin
        words += ["--set", "base_origin.country=TW"]
    if words[0] in ("run", "compare"):
        words += ["--runs", str(finished.runs)]
    if words[0] == "compare":
        shutil.copytree(finished.run.path, finished.runs / "other-0")

    outcome = call(*words)

    assert outcome.code == 0, outcome
    assert outcome.out
