"""The whole chain in a process without any network: it works, and it does not even try (C70)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from foundry.core import network
from tests import tiny_recipe
from tests.models.hub import COMMIT
from tests.tiny_recipe import RECIPE, TOKEN, TinyRecipe

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
# Python tells an audit hook of each look-up and connection, whoever makes it; a Unix socket's
# address is text. `sitecustomize` is imported at the start of every Python process.
HOOK = """
import os, sys
def hook(event, arguments):
    outside = event == "socket.getaddrinfo" or event.startswith("socket.gethostby")
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        outside = isinstance(arguments[1], tuple)
    if outside:
        with open(os.environ["ATTEMPTS"], "a") as stream:
            print(event, arguments, file=stream)
sys.addaudithook(hook)
"""


def without_network() -> Sequence[str]:
    """The command that runs another one without any interface; empty where there is none."""
    for command in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        found = shutil.which(command[0])
        if found and subprocess.run([*command, "true"], check=False).returncode == 0:
            return command
    return []


def environment(folder: Path) -> dict[str, str]:
    """That of a user who has a token and has set nothing for or against the network."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "VIRTUAL_ENV", "TMPDIR")}
    (folder / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    return kept | {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FOUNDRY_LANG": "en",
        "OMP_NUM_THREADS": "1",
        "HF_TOKEN": TOKEN,
        "ATTEMPTS": str(folder / "attempts.txt"),
        "FOUNDRY_COUNTRY": "TW",
    }


Cut = tuple[TinyRecipe, subprocess.CompletedProcess[bytes], Path]


BASE, DATA = f"owner/Tiny-Base@{COMMIT}", f"hub:owner/rows@{COMMIT}"


def snapshot(home: Path, name: str) -> Path:
    """Where the hub's cache keeps the commit of a repository; its folder is made."""
    folder = home / ".cache" / "huggingface" / "hub" / name / "snapshots"
    folder.mkdir(parents=True)
    return folder / COMMIT


@pytest.fixture(scope="module", params=["folder", "hub"])
def cut(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Cut:
    """`foundry train` on the tiny recipe in a process without network, and its home folder.

    Base and data lie beside the recipe, or both are in the hub's cache.
    """
    prefix = without_network()
    if not prefix:
        pytest.skip("`unshare -n` is not allowed here")
    folder, home = tmp_path_factory.mktemp("cut"), tmp_path_factory.mktemp("home")
    source = {**RECIPE["data"]["sources"][0], "path": DATA}
    of_hub = {"base_model": BASE, "data": {**RECIPE["data"], "sources": [source]}}
    is_of_hub = request.param == "hub"
    recipe = tiny_recipe.lay_out(folder / "tiny", tiny_base, **(of_hub if is_of_hub else {}))
    if is_of_hub:
        (recipe.folder / "base").rename(snapshot(home, "models--owner--Tiny-Base"))
        rows = snapshot(home, "datasets--owner--rows")
        rows.mkdir()
        (recipe.folder / "rows.csv").rename(rows / "rows.csv")
    command = [*prefix, sys.executable, "-m", "foundry", *recipe.arguments("--json")]
    done = subprocess.run(
        command, cwd=folder, env=environment(home), capture_output=True, check=False
    )
    return recipe, done, home


def test_chain_works_without_any_network(cut: Cut):
    recipe, done, __ = cut

    assert done.returncode == 0, done.stderr.decode()
    assert Path(json.loads(done.stdout)["package"]) == recipe.package


def test_nothing_is_looked_up_and_nobody_is_called(cut: Cut):  # engines.md 1: no telemetry either
    __, done, home = cut

    assert done.returncode == 0
    assert not (home / "attempts.txt").exists(), (home / "attempts.txt").read_text("utf-8")


def ran(recipe: TinyRecipe) -> list[dict[str, object]]:
    """The steps of the run as the package tells them."""
    told = json.loads((recipe.package / "sovereignty.json").read_text(encoding="utf-8"))
    assert [told["steps"][0][key] for key in ("step", "hosts")] == ["download", None]
    return list(told["steps"][1:])


def test_package_says_that_the_kernel_kept_every_step_from_the_network(cut: Cut):
    steps = ran(cut[0])

    assert len(steps) == 6
    for step in steps:
        assert (step["country"], step["measured_by"], step["hosts"]) == ("TW", "kernel", [])


def test_package_of_a_run_with_a_network_says_what_python_saw(whole_run):
    how = "kernel" if network.is_cut_off() else "python"

    for step in ran(whole_run[0]):
        assert (step["country"], step["measured_by"], step["hosts"]) == ("not stated", how, [])


def test_hook_sees_a_call(tmp_path: Path):
    code = "import socket; socket.socket(socket.AF_INET).connect_ex(('127.0.0.1', 9))"

    subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), check=True)

    assert "socket.connect" in (tmp_path / "attempts.txt").read_text("utf-8")


def test_token_is_in_no_file_that_was_written_and_in_no_output(cut: Cut):  # C78
    recipe, done, home = cut
    secret = b"TESTTOKEN"

    files = [p for folder in (recipe.folder, home) for p in folder.rglob("*") if p.is_file()]
    assert [path for path in files if secret in path.read_bytes()] == []
    assert secret not in done.stdout + done.stderr
    assert len(files) > 50


def test_result_is_that_of_the_run_in_the_test_process(cut: Cut, whole_run):
    assert cut[0].losses() == whole_run[0].losses()
