"""What the tests of faults share."""

from pathlib import Path

import pytest

from foundry.core.rundir import RunDir
from tests.faults import training
from tests.once import once


@pytest.fixture(scope="session")
def straight(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A training that nothing disturbs; not to touch."""

    def build(path: Path) -> None:
        training.fit(training.opened(tiny_llama, path), keep_checkpoints=4)

    return RunDir(once(tmp_path_factory, "straight", build))
