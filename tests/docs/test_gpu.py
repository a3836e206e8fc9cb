"""`docs/gpu.md` says what the GPU check does, and of which cards it has figures."""

from pathlib import Path

import pytest

from scripts import gpu_check
from tests.train.test_every_trainer import ROWS_OF

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
ABOUT = " ".join(PAGE.partition("<!-- ")[0].split())


def test_page_is_the_one_that_the_script_writes():
    assert gpu_check.PAGE == ROOT / "docs" / "gpu.md"


@pytest.mark.parametrize("column", gpu_check.COLUMNS[1:])
def test_every_column_is_explained(column: str):
    assert f"*{column}*" in ABOUT


def test_sizes_are_those_of_the_script():
    small, large = gpu_check.PACKS
    assert f"{small:,} and {large:,} tokens" in ABOUT
    assert f"A step has {gpu_check.ROWS_A_STEP} rows" in ABOUT
    assert f"rank {gpu_check.RANK} on every linear layer" in ABOUT
    assert gpu_check.STEPS == 10
    assert "ten steps" in ABOUT


def test_the_trainers_are_those_that_the_gpu_tests_take():
    names = [f"`{name}`" for name in ROWS_OF]

    assert f"the trainers {', '.join(names[:-1])} and {names[-1]}, every adapter" in ABOUT


def test_page_says_that_no_card_was_measured_until_one_is():
    has_a_card = ": generated -->" in PAGE

    assert (gpu_check.NOT_YET in PAGE) != has_a_card
