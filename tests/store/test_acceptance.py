"""Accepted terms are kept whole, once, and by whoever accepted them."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.policy import licence
from foundry.store import acceptance
from tests.delivery.made_run import BASE

GEMMA, TAIDE, CC0 = (licence.find(name) for name in ("gemma", "taide-g", "cc0-1.0"))


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings"


def test_nothing_is_accepted_at_first():
    assert acceptance.remembered(BASE, [GEMMA], {}) == set()


def test_what_is_accepted_is_kept_with_date_name_and_hash(monkeypatch):
    monkeypatch.setattr(acceptance.getpass, "getuser", lambda: "wang")

    acceptance.remember(BASE, [GEMMA], {})

    [entry] = acceptance.entries()
    assert (entry["base"], entry["licence"], entry["by"]) == (
        "google/gemma-3-270m",
        "gemma",
        "wang",
    )
    assert entry["text_sha256"] == acceptance.text_sha256(GEMMA, {})
    assert entry["accepted_on"].endswith("+00:00")
    assert acceptance.remembered(BASE, [GEMMA, CC0], {}) == {"gemma"}


def test_accepting_again_keeps_the_first_date():
    acceptance.remember(BASE, [GEMMA], {})
    before = acceptance.entries()

    acceptance.remember(BASE, [GEMMA], {})

    assert acceptance.entries() == before


def test_another_base_and_another_text_are_asked_for_again(tmp_path: Path):
    text = tmp_path / "taide-g.pdf"
    text.write_bytes(b"the terms of 2025")
    acceptance.remember(BASE, [TAIDE], {"taide-g": text})

    other = replace(BASE, hub_id="google/gemma-3-1b-pt")
    assert acceptance.remembered(BASE, [TAIDE], {"taide-g": text}) == {"taide-g"}
    assert acceptance.remembered(other, [TAIDE], {"taide-g": text}) == set()
    text.write_bytes(b"the terms of 2026")
    assert acceptance.remembered(BASE, [TAIDE], {"taide-g": text}) == set()


def test_text_of_a_new_version_has_another_hash():
    [first, *rest] = GEMMA.text_files
    newer = GEMMA.model_copy(
        update={"text_files": (first.model_copy(update={"sha256": "0" * 64}), *rest)}
    )

    assert acceptance.text_sha256(newer, {}) != acceptance.text_sha256(GEMMA, {})


def test_folders_of_one_name_with_other_weights_are_other_bases():
    mine = replace(BASE, name="base", hub_id=None, sha256="1" * 64)
    acceptance.remember(mine, [GEMMA], {})

    assert acceptance.remembered(replace(mine, sha256="2" * 64), [GEMMA], {}) == set()


def test_ten_that_accept_at_once_lose_nothing():
    bases = [replace(BASE, hub_id=f"google/gemma-{n}") for n in range(10)]

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda base: acceptance.remember(base, [GEMMA], {}), bases))

    assert {e["base"] for e in acceptance.entries()} == {b.hub_id for b in bases}


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"accepted": [{"base": "x"}]})])
def test_file_that_cannot_be_read_is_named_and_not_overwritten(settings: Path, content: str):
    path = settings / "foundry" / "accepted-terms.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ResourceError, match=r"accepted-terms\.json"):
        acceptance.remember(BASE, [GEMMA], {})

    assert path.read_text(encoding="utf-8") == content
