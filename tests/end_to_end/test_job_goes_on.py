"""A job for Slurm with a real training in it: stopped, put back, and ended as if undisturbed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundry.planning.jobs import slurm
from foundry.planning.jobs.job import ClusterJob
from tests.commands import running
from tests.tiny_recipe import ACCEPT, RECIPE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="a job script is for bash"),
]
STEPS = 60


def started(folder, environment):
    """The script as Slurm starts it; `scontrol` is a local program that notes what it is told."""
    outputs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return running(["bash", "job.sbatch"], cwd=folder, env=environment, **outputs)


def steps_done(recipe):
    return sum(p.read_text("utf-8").count("\n") for p in recipe.runs.glob("*/metrics.jsonl"))


def test_a_job_is_stopped_put_back_and_ends(recipe):
    options = ("--until", "train", "--set", f"train.max_steps={STEPS}", *ACCEPT, "--runs", "runs")
    words = ("foundry", "train", "recipe.yaml", *options)
    job = ClusterJob("tiny", words, str(recipe.folder), 0, 1, 4, 60, 120, {})
    (recipe.folder / "job.sbatch").write_text(slurm.write(job), encoding="utf-8")
    programs = {
        "foundry": f'exec "{sys.executable}" -m foundry "$@"',
        "scontrol": 'echo "$@" >> scontrol.log',
    }
    for name, line in programs.items():
        path = recipe.folder / name
        path.write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
        path.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{recipe.folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_ID": "4242",
    }

    end = time.monotonic() + 300
    with started(recipe.folder, environment) as first:
        while steps_done(recipe) < 2 and first.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)  # to the script alone, as `--signal=B:TERM` does
        said = first.communicate(timeout=300)[1]

    assert first.returncode == 75, said
    assert (recipe.folder / "scontrol.log").read_text(encoding="utf-8") == "requeue 4242\n"
    assert 2 <= steps_done(recipe) < STEPS

    with started(recipe.folder, {**environment, "SLURM_RESTART_COUNT": "1"}) as again:
        said = again.communicate(timeout=300)[1]

    assert again.returncode == 0, said
    assert steps_done(recipe) == STEPS
    assert RECIPE["train"]["max_steps"] < STEPS
