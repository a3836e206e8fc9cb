"""A base model that is at hand is found where a run finds it; nothing is made or fetched."""

import subprocess
import sys
from pathlib import Path

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.models.at_hand import at_hand
from foundry.models.fetch import locate

ROOT = Path(__file__).resolve().parents[2]


def test_folder_is_found_beside_the_recipe(tiny_llama: Path):
    found = at_hand(tiny_llama.name, tiny_llama.parent)

    located = locate(tiny_llama.name, tiny_llama.parent)
    assert found is not None
    assert (found.name, str(found.folder)) == (located.name, located.folder)
    assert found.family == located.family == "llama"


def test_embedded_model_that_was_not_converted_yet_is_not_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))

    assert at_hand("gemma-3-270m", tmp_path) is None
    assert not (tmp_path / "home").exists()


def test_model_of_the_hub_that_was_not_fetched_is_not_at_hand(tmp_path):
    assert at_hand("nobody/nothing", tmp_path) is None


def test_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(ResourceError, match="the folder does not exist"):
        at_hand("./base", tmp_path)


@pytest.mark.parametrize("find", [at_hand, locate])
def test_folder_without_a_model_is_told(tmp_path, find):
    (tmp_path / "base").mkdir()

    with pytest.raises(ResourceError, match=r"no config\.json in the model's folder"):
        find("./base", tmp_path)


@pytest.mark.parametrize("find", [at_hand, locate])
def test_home_of_nobody_is_told_as_a_path(tmp_path, find):
    with pytest.raises(ResourceError, match="the folder does not exist"):
        find("~no-such-user/base", tmp_path)


def test_look_for_a_model_of_the_hub_imports_no_transformers(tmp_path):
    look = "from pathlib import Path; from foundry.models.at_hand import at_hand; import sys; "
    look += "found = at_hand('owner/name', Path()); print(found, 'transformers' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, check=True)

    assert done.stdout.decode().split() == ["None", "False"]


def test_misspelt_name_is_told_with_the_nearest(tmp_path):
    with pytest.raises(RecipeError, match="use `gemma-3-270m`"):
        at_hand("gema-3-270m", tmp_path)


def test_folder_with_pickles_is_not_opened(tmp_path, tiny_llama: Path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_bytes((tiny_llama / "config.json").read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"")

    with pytest.raises(ResourceError):
        at_hand("base", tmp_path)
