"""Where nothing is installed that trains, each command works or says what to install."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_recipe import ACCEPT

ROOT = Path(__file__).resolve().parents[2]
# Runs each command line of its input in a process that finds no library of the extra `train`.
RUN_ALL = """
import contextlib, importlib.machinery, io, json, sys
finder = importlib.machinery.PathFinder
find = finder.find_spec
away = {"torch", "transformers", "peft", "trl", "datasets", "safetensors", "tokenizers", "numpy"}
away |= {"huggingface_hub", "gguf", "pyarrow", "scipy", "accelerate", "xllamacpp", "httpx2"}
away |= {"opencc"}
finder.find_spec = lambda name, *more: None if name.split(".")[0] in away else find(name, *more)
from foundry.cli.main import main
ended = {}
for name, line in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        ended[name] = [main(line), out.getvalue()]
print(json.dumps(ended))
"""
FLAGS = ("--licence", "own-data", "--basis", "own-work", "--by", "me", "--json")
LLAMA = ("--accept-terms", "llama3.1", "--set", "name=llama-faq")
NOT_FETCHED = ("llama-3.1-8b", "llama-3.1-8b@refs/pr/1", "owner/name")


def commands(tiny_llama: Path) -> dict[str, list[str]]:
    """Command lines by what they do."""
    lines = {
        f"new {base}": ["recipe", "new", "faq.csv", *FLAGS, "--base", base, "--out", f"{n}.yaml"]
        for n, base in enumerate([*NOT_FETCHED, str(tiny_llama)])
    }
    for n, base in enumerate([*NOT_FETCHED, str(tiny_llama)]):
        lines[f"check {base}"] = ["recipe", "check", f"{n}.yaml", "--json"]
        lines[f"plan {base}"] = ["plan", f"{n}.yaml", "--json", "--on", "h200", *ACCEPT, *LLAMA]
    lines["plan folder"] = lines.pop(f"plan {tiny_llama}")
    lines["check folder"] = lines.pop(f"check {tiny_llama}")
    for name in NOT_FETCHED:
        lines[f"fetch {name}"] = ["model", "fetch", name, "--json"]
    return lines


@pytest.fixture(scope="module")
def ended(
    tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, tuple[int, dict[str, Any]]]:
    """Exit code and document of each command."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "faq.csv").write_text("問題,回答\n一？,一。\n二？,二。\n", encoding="utf-8")
    # Other tests of this process have let it say that the hub is not to be called.
    kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    own = {"FOUNDRY_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(commands(tiny_llama)).encode(),
        cwd=folder,
        env=kept | own,
        stdout=subprocess.PIPE,
        check=True,
    )
    return {name: (code, json.loads(out)) for name, (code, out) in json.loads(done.stdout).items()}


@pytest.mark.parametrize("verb", ["new", "check"])
@pytest.mark.parametrize("base", NOT_FETCHED)
def test_recipe_is_written_and_checked_without_its_base(ended, verb: str, base: str):
    code, document = ended[f"{verb} {base}"]

    assert code == 0, document


def test_recipe_on_a_folder_is_checked_as_far_as_it_can_be(ended):
    code, document = ended["check folder"]

    assert (code, document["is_base_here"]) == (0, False), document


@pytest.mark.parametrize("base", NOT_FETCHED[:2])
def test_recipe_on_a_model_of_the_catalogue_is_planned_without_it(ended, base: str):
    code, document = ended[f"plan {base}"]

    assert (code, document["run"], document["estimate"]["fits"]) == (0, None, True), document


@pytest.mark.parametrize(
    ("command", "package"),
    [
        *((f"fetch {base}", "huggingface_hub") for base in NOT_FETCHED),
        ("plan owner/name", "huggingface_hub"),
        ("plan folder", "safetensors"),
    ],
)
def test_what_needs_a_library_says_how_to_install_it(ended, command: str, package: str):
    code, document = ended[command]

    assert code == 3
    assert document["problems"] == [
        {
            "where": package,
            "what": "the package is not installed",
            "fix": "pip install 'ai-foundry[train]'",
        }
    ]
