"""What every test sees: no network, no GPU unless asked for (`make gpu`), English, no settings."""

import gc
import ipaddress
import json
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import tiny, tiny_recipe
from tests.once import UNDER_XDIST, once
from tests.tiny_recipe import Outcome, TinyRecipe

if TYPE_CHECKING:
    from tests.tiny_run import Trained

# HF_HUB_OFFLINE stays unset: it would hide a call that the guard below must meet. CI is unset
# because trl sends telemetry only where it is (engines.md 1). Threads sleep while they wait, as
# under `foundry`; by then torch is loaded here.
os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", FOUNDRY_LANG="en")
if os.environ.get("FOUNDRY_TEST_GPU") != "1":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What the developer accepted is no test's business, nor what another test did.
SETTINGS = tempfile.TemporaryDirectory(prefix="foundry-tests-")
os.environ["XDG_CONFIG_HOME"] = SETTINGS.name
for name in ("CI", "HF_TOKEN", "HF_HUB_OFFLINE", "FORCE_COLOR"):
    os.environ.pop(name, None)


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine. Not an OSError: libraries swallow those."""


def is_local(host: object) -> bool:
    """Whether `host` is this machine's loopback interface; no name is looked up."""
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


def _refuse(host: object) -> None:
    if not is_local(host):
        raise NetworkBlocked(f"a test tried to reach {host!r}")


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(arguments[-1][0])
        return original(self, *arguments)

    return call


def _guarded_lookup(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(host: object, *arguments: Any, **options: Any) -> Any:
        _refuse(host)
        return original(host, *arguments, **options)

    return call


def pytest_configure(config: pytest.Config) -> None:
    """Guard the process. It sees Python's sockets only, not those of compiled libraries."""
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, _guarded_lookup(getattr(socket, name)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files again")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers end together only if the longest tests, those of embedded models, begin first."""
    if UNDER_XDIST:
        items.sort(key=lambda item: ("slow" not in item.keywords, "embedded" not in item.name))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what tests measured with `record_property`."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(autouse=True)
def nothing_accepted() -> None:
    """No test finds terms accepted by the one before."""
    Path(SETTINGS.name, "foundry", "accepted-terms.json").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def one_thread() -> None:
    """For tiny models: on two busy cores, threads that wait for each other made them 10x slower.

    The trainer collects garbage in every run; what is imported by now is not looked at again.
    """
    import torch

    from foundry.train import fitting  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_llama(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Llama whose head is its own."""
    return once(tmp_path_factory, "tiny-llama", lambda f: tiny.build(f, "llama", tied=False))


@pytest.fixture(scope="session")
def tiny_gemma3(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Gemma 3 whose head is its embedding."""
    return once(tmp_path_factory, "tiny-gemma3", lambda f: tiny.build(f, "gemma3", tied=True))


@pytest.fixture(scope="session")
def tiny_base(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base model of the tiny recipe."""
    return once(tmp_path_factory, "tiny-base", tiny_recipe.build_base)


@pytest.fixture(scope="session")
def whole_run(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TinyRecipe, Outcome]:
    """The tiny recipe taken to its package once, with a token in the environment; not to touch."""

    def build(folder: Path) -> None:
        made = tiny_recipe.lay_out(folder / "tiny", tiny_base)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_TOKEN", tiny_recipe.TOKEN)
            outcome = made.train("--json")
        (folder / "outcome.json").write_text(json.dumps(asdict(outcome)), encoding="utf-8")

    folder = once(tmp_path_factory, "whole", build)
    outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    return TinyRecipe(folder / "tiny"), Outcome(**outcome)


@pytest.fixture
def finished(whole_run: tuple[TinyRecipe, Outcome], tmp_path: Path) -> TinyRecipe:
    """A copy of the whole run."""
    return whole_run[0].copy(tmp_path / "tiny")


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> TinyRecipe:
    """The tiny recipe before any run."""
    return tiny_recipe.lay_out(tmp_path / "tiny", tiny_base)


@pytest.fixture(scope="session")
def trained_llama(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """The tiny Llama with a rank-stabilised update: scale 32 / sqrt(16) = 8 (C39)."""
    from foundry.train.adapters import rslora

    return _trained(tiny_llama, tmp_path_factory, rslora)


@pytest.fixture(scope="session")
def trained_gemma3(tiny_gemma3: Path, tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """The tiny Gemma 3 with a plain update: scale 32 / 16 = 2."""
    from foundry.train.adapters import lora

    return _trained(tiny_gemma3, tmp_path_factory, lora)


def _trained(folder: Path, tmp_path_factory: pytest.TempPathFactory, adapter: Any) -> "Trained":
    from tests import tiny_run

    spec = adapter.Spec(rank=16, alpha=32)
    setup = tiny_run.Setup(folder, steps=40, micro_batch_size=8, adapter=spec, method=adapter)
    return tiny_run.train(setup, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `golden/<name>` beside the test; `make golden` writes it."""

    def compare(name: str, text: str) -> None:
        path = Path(request.path).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; see `make golden`"

    return compare


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: an archive made anew holds the time, workers must agree."""
    return argname if isinstance(val, bytes) else None
