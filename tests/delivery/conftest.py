"""A finished run, and the package made of it."""

import shutil
from pathlib import Path

import pytest

from foundry.delivery.package import PackageInputs, build_package
from tests.delivery.made_run import make_run


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
