"""A checkpoint that somebody else made runs no code when a run goes on from it (C73)."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.core.errors import ResourceError
from foundry.core.rundir import RunDir
from foundry.train import checkpoint
from foundry.train.trainers import sft
from tests import hostile
from tests.cases import case, change
from tests.tiny_run import Setup, fast, open_run

STEPS = 4


@pytest.fixture(scope="module")
def run(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with one checkpoint."""
    path = tmp_path_factory.mktemp("run")
    sft.fit(open_run(Setup(tiny_llama, STEPS), path), fast(STEPS))
    return path


def plant(run: Path, name: str, content: bytes) -> Path:
    """Put a file into the checkpoint and into its manifest, as its maker would."""
    (folder,) = RunDir(run).file("checkpoints").glob("step-*")
    (folder / name).write_bytes(content)
    manifest = folder / checkpoint.MANIFEST
    values = json.loads(manifest.read_text(encoding="utf-8"))
    values["files"][name] = atomic.sha256(folder / name)
    manifest.write_text(json.dumps(values), encoding="utf-8")
    assert checkpoint.fault_of(folder) is None
    return folder / name


@case("C73", {"not looked into": change(checkpoint, "check_code", lambda _path: None)})
@pytest.mark.parametrize("payload", [hostile.torch_saved, hostile.pickled])
@pytest.mark.parametrize(
    "name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"]
)
def test_payload_in_a_checkpoint_is_named_and_never_run(
    run: Path, tiny_llama: Path, tmp_path: Path, name: str, payload: Callable[[Path], bytes]
):
    path = Path(shutil.copytree(run, tmp_path / "copy", dirs_exist_ok=True))
    planted = plant(path, name, payload(tmp_path / "canary"))

    with pytest.raises(Exception) as error:
        sft.fit(open_run(Setup(tiny_llama, STEPS), path), fast(STEPS))

    assert isinstance(error.value, ResourceError)
    assert [p.where for p in error.value.problems] == [str(planted)]
    assert not (tmp_path / "canary").exists()


def test_what_it_would_call_is_told(run: Path, tmp_path: Path):
    path = Path(shutil.copytree(run, tmp_path / "copy"))
    planted = plant(path, "optimizer.pt", hostile.torch_saved(tmp_path / "canary"))

    with pytest.raises(ResourceError, match=r"would call posix\.mkdir while it is read"):
        checkpoint.check_code(planted.parent)


def test_checkpoint_of_our_own_is_accepted(run: Path):
    (folder,) = RunDir(run).file("checkpoints").glob("step-*")

    checkpoint.check_code(folder)

    names = {path.name for path in folder.iterdir()}
    assert names > {"optimizer.pt", "scheduler.pt", "rng_state.pth"}
