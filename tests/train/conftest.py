"""What several files of this room train once."""

from pathlib import Path

import pytest

from tests import crew_run
from tests.faults import small
from tests.once import once
from tests.tiny_recipe import TinyRecipe


@pytest.fixture(scope="session")
def alone(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    """Trained by one process, in micro-batches of two rows."""

    def build(folder: Path) -> None:
        small.again(small.lay_out(folder / "tiny", tiny_base, **crew_run.STEPS), "--until", "train")

    return TinyRecipe(once(tmp_path_factory, "alone", build) / "tiny")
