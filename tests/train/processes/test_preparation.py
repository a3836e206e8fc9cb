"""C72: rows are prepared before there is anybody to wait, however long that takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import crew_run
from tests.cases import case, change
from tests.faults import small
from tests.train.processes.test_processes import TWO

pytestmark = pytest.mark.slow
# The case has 5 s and 2 s; a machine with other work may bring a process some seconds late.
SLOW_S, LIMIT_S = 30, 15
# What every process of the run does first, whoever starts it (`sitecustomize` of Python's `site`):
# whoever waits for another longer than the limit gives up, and preparing rows takes longer.
FIRST = f"""
import datetime, sys, time
if any("render_child" in word for word in sys.orig_argv):  # which may not hold torch
    raise ImportError("not here")

def impatient(module):
    began = module.init_process_group
    limit = datetime.timedelta(seconds={LIMIT_S})
    module.init_process_group = lambda *a, **k: began(*a, **{{**k, "timeout": limit}})

def slow(module, name):
    original = getattr(module, name)
    def slowly(*given, **named):
        time.sleep({SLOW_S})
        return original(*given, **named)
    setattr(module, name, slowly)
"""
BEFORE = """
import torch.distributed
impatient(torch.distributed)
import foundry.encode.shards
slow(foundry.encode.shards, "write_shards")
"""
# As where each process prepares its own rows, and the first has more of them.
AMONG_THEM = """
import os, torch.distributed
impatient(torch.distributed)
if os.environ.get("RANK") == "0":
    import foundry.train.material
    slow(foundry.train.material, "material_of")
"""
WHERE = BEFORE


@case(
    "C72", {"rows are prepared by who trains": change(sys.modules[__name__], "WHERE", AMONG_THEM)}
)
def test_nobody_waits_for_rows_that_are_prepared_slowly(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / os.urandom(4).hex()
    made = small.lay_out(folder / "tiny", tiny_base, **crew_run.STEPS)
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(FIRST + WHERE, encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, "-m", "foundry", *made.arguments("--until", "train", *TWO)],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
