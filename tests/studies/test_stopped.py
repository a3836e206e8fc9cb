"""A study that is told to stop tells what runs, waits for it, and for nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foundry.core.load import load_recipe
from foundry.planning.plan import settle as settled_plan
from foundry.studies.crew import Crew
from foundry.studies.launch import Launch, launch
from tests.studies.test_run_study import ACCEPTED, ignore
from tests.tiny_recipe import TinyRecipe


def test_study_that_is_stopped_does_not_wait_for_a_run_of_another_process(
    recipe: TinyRecipe, tmp_path: Path
):
    crew = Crew(ignore)
    one = Launch(str(recipe.file), (), recipe.runs, "data", ACCEPTED)
    name = settled_plan(load_recipe(str(recipe.file)), ACCEPTED).run_name
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom foundry.core.rundir import RunDir\n"
        "with RunDir(Path(sys.argv[1])).locked():\n    print('held', flush=True)\n"
        "    time.sleep(120)"
    )
    command = [sys.executable, "-c", hold, str(recipe.runs / name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder, ThreadPoolExecutor(1) as pool:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        waiting = pool.submit(launch, one, "", crew)
        crew.stop()
        try:
            with pytest.raises(KeyboardInterrupt):
                waiting.result(timeout=60)
        finally:
            holder.kill()


WAITS = [sys.executable, "-c", "import time; time.sleep(120)"]


def test_what_runs_is_told_to_stop():
    crew = Crew(ignore)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(crew.call, WAITS)
        begun = time.monotonic()
        while not crew._children and time.monotonic() < begun + 60:
            time.sleep(0.01)
        crew.stop()
        assert running.result(timeout=60) == -signal.SIGTERM


def test_signal_while_a_trial_runs_ends_the_trial_too():
    """As SIGTERM comes to `settle`, which waits for it in the main thread."""
    crew, begun = Crew(ignore), time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    try:
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), crew.stopped_with_this():
            crew.call(WAITS)
    finally:
        signal.signal(signal.SIGINT, before)

    assert time.monotonic() < begun + 60
    (child,) = crew._children
    assert child.returncode == -signal.SIGTERM
