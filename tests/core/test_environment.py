"""The record of the machine holds what matters to a number and nothing that names a person."""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

from foundry.core.environment import cores, environment, installed, memory_bytes


def test_names_version_processor_and_memory():
    found = environment()

    assert found["python"] == platform.python_version()
    assert found["packages"]["pydantic"] == installed("pydantic")
    assert found["cores"] == cores() >= 1
    assert found["memory_bytes"] == memory_bytes() > 2**28
    assert found["cpu"]


def test_holds_no_host_user_or_folder():  # C43
    text = json.dumps(environment()).replace(os.sep * 2, os.sep)

    for private in (socket.gethostname(), str(Path.home()), str(Path.cwd())):
        assert private not in text
    assert f"/{getpass.getuser()}" not in text


def test_missing_package_is_none():
    assert installed("no-such-distribution") is None


def test_a_setting_that_changes_results_is_recorded(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("HF_TOKEN", "hf_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh")

    assert environment()["settings"]["OMP_NUM_THREADS"] == "3"
    assert "hf_" not in json.dumps(environment())  # C78


def test_peak_of_memory_is_not_that_of_the_process_that_started_it():
    """A run of a study is started by a process that has converted a base model."""
    held = bytearray(400 << 20)
    held[::4096] = b"1" * len(range(0, len(held), 4096))
    asked = "from foundry.core.environment import peak_memory_bytes; print(peak_memory_bytes())"

    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)

    assert 1 << 20 < int(done.stdout) < len(held)
