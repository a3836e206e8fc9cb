"""`docs/mixing.md` shows a recipe that loads and does what the page says."""

from pathlib import Path

import yaml

from foundry.core.recipe import Data
from foundry.data.mixture import drawn

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mixing.md").read_text(encoding="utf-8")


def test_the_block_is_one_that_loads_and_keeps_its_shares():
    block = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])

    made = drawn(Data.model_validate(block["data"]), [90, 60, 1000])

    assert [one.wanted for one in made] == [180, 60, 27]
