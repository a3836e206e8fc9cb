"""A finished run, the package made of it, and the artefacts of trained tiny models."""

import shutil
from pathlib import Path

import pytest

from foundry.delivery.package import PackageInputs, build_package
from tests.delivery.made_run import make_run
from tests.delivery.shelf import Shelf
from tests.tiny_run import Trained


@pytest.fixture
def inputs(tmp_path: Path) -> PackageInputs:
    """A finished run of its own."""
    return make_run(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package; not to be changed."""
    inputs = make_run(tmp_path_factory.mktemp("run"))
    return inputs.run.file(build_package(inputs).path)


@pytest.fixture
def package(made_once: Path, tmp_path: Path) -> Path:
    """A copy of the package, to be changed."""
    return Path(shutil.copytree(made_once, tmp_path / "package"))


@pytest.fixture(scope="session")
def llama_shelf(trained_llama: Trained, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(trained_llama, trained_llama.with_gguf(tmp_path_factory.mktemp("gguf")))


@pytest.fixture(scope="session")
def gemma3_shelf(trained_gemma3: Trained, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(trained_gemma3, trained_gemma3.with_gguf(tmp_path_factory.mktemp("gguf")))


@pytest.fixture(params=["llama_shelf", "gemma3_shelf"], ids=["llama", "gemma3"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """Both, one after the other."""
    made: Shelf = request.getfixturevalue(request.param)
    return made
