"""The wheel works alone: in an empty environment, outside the checkout, without what trains."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    names = ("PATH", "HOME", "LANG", "SSL_CERT_FILE")
    kept = {k: v for k, v in os.environ.items() if k in names or k.startswith("PIP_")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=kept, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, REPOSITORY),
        cwd=REPOSITORY,
    )
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`foundry` in an environment that holds the wheel and its light dependencies."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True)
    constraints = REPOSITORY / "constraints.txt"
    run(
        *(folder / "bin" / "python", "-m", "pip", "install", "-q", "-c", constraints, wheel),
        cwd=folder,
    )
    return folder / "bin" / "foundry"


def test_lists_the_shipped_recipe(program, tmp_path):
    document = json.loads(run(program, "recipe", "list", "--json", cwd=tmp_path))

    assert "retail/customer-service" in [recipe["name"] for recipe in document["recipes"]]


def test_checks_the_shipped_recipe(program, tmp_path):
    document = json.loads(
        run(program, "recipe", "check", "retail/customer-service", "--json", cwd=tmp_path)
    )

    assert document["ok"] is True


def test_knows_base_models_and_licences(program, tmp_path):
    models = json.loads(run(program, "model", "list", "--json", cwd=tmp_path))
    licence = run(program, "licence", "gemma", cwd=tmp_path)

    assert "gemma-3-270m" in json.dumps(models)
    assert "Gemma" in licence


def test_speaks_chinese(program, tmp_path):
    english = run(program, "--help", cwd=tmp_path)
    chinese = run("env", "FOUNDRY_LANG=zh-TW", program, "--help", cwd=tmp_path)

    assert english != chinese
    assert "配方" in chinese


def test_says_what_is_missing_to_train(program, tmp_path):
    done = subprocess.run([program, "doctor", "--json"], cwd=tmp_path, capture_output=True)

    document = json.loads(done.stdout)
    torch = next(check for check in document["checks"] if check["name"] == "torch")
    assert (done.returncode, document["ready"]) == (3, False)
    assert (torch["state"], torch["fix"]) == ("missing", "pip install 'ai-foundry[train]'")


def test_carries_what_a_checkout_has_beside_the_source(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = {"recipes": "*.*", "studies": "*.*", "configs": "*.*", "foundry/locale": "*.mo"}

    assert "foundry/py.typed" in names
    assert "foundry/_shipped/constraints.txt" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for folder, pattern in folders.items():
        files = [p for p in (REPOSITORY / folder).rglob(pattern) if p.is_file()]
        place = "" if folder.startswith("foundry/") else "foundry/_shipped/"
        assert len(files) > 0
        assert {place + p.relative_to(REPOSITORY).as_posix() for p in files} <= names
    for path in (REPOSITORY / "foundry").rglob("*"):
        if path.is_file() and path.suffix in (".py", ".jinja", ".css", ".jsonl"):
            assert path.relative_to(REPOSITORY).as_posix() in names
