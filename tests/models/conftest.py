"""A hub on this machine, and an empty cache for what is fetched from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import hub as stand_in
from tests.models.hub import Hub


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no token on this machine."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    return tmp_path / "hub"


@pytest.fixture
def hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that HF_ENDPOINT leads to."""
    from huggingface_hub.utils import close_session

    with stand_in.running() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        close_session()
        yield made
        close_session()
