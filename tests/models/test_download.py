"""The real client of the hub against a hub on this machine: what arrives, and what does not."""

import json
import os
import resource
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import LockedError, ResourceError
from foundry.core.events import Event, Events
from foundry.models import download, names, quiet, receive
from foundry.models.download import Fetched, fetch
from foundry.models.fetch import locate
from foundry.models.load import load_model
from tests import hostile
from tests.cases import case, change
from tests.models.hub import COMMIT, Faults, Hub, Repository
from tests.tiny_recipe import TOKEN

TINY = "owner/Tiny-Llama"
CHUNK = 1 << 14


@pytest.fixture
def repository(hub: Hub, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The tiny Llama at the hub; its client takes pieces of 16 KiB."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK)
    hub.repositories[TINY] = Repository.of(tiny_llama)
    return hub.repositories[TINY]


def get(name: str = TINY, *listeners: Callable[[Event], None], **options: Any) -> Fetched:
    """Fetch as the command does."""
    return fetch(names.wanted(name), Events(list(listeners)), **options)


def problem(name: str = TINY) -> str:
    """What is told when a fetch is refused."""
    with pytest.raises(ResourceError) as error:
        get(name)
    return str(error.value)


def left_over(hub_cache: Path) -> list[str]:
    """The files in the cache's store that did not wholly arrive."""
    return [p.name for p in hub_cache.rglob("*.incomplete")]


def test_model_is_fetched_and_found(repository: Repository, tiny_llama: Path, tmp_path: Path):
    got = get()

    base = locate(TINY, tmp_path)
    assert (got.revision, got.folder) == (COMMIT, base.folder)
    assert (base.hub_id, base.revision) == (TINY, COMMIT)
    assert got.downloaded_bytes == got.size_bytes == sum(map(len, repository.files.values()))
    assert base.sha256 == locate(str(tiny_llama), tmp_path).sha256
    assert load_model(base).config.model_type == "llama"


@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"])
def test_fetched_model_is_found_under_its_commit(
    repository: Repository, revision: str, tmp_path: Path
):
    assert get(TINY + revision).revision == COMMIT

    assert locate(f"{TINY}@{COMMIT}", tmp_path).revision == COMMIT
    assert locate(TINY + revision, tmp_path).revision == COMMIT


def test_mirror_without_an_address_is_none(hub_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "")

    with pytest.raises(RuntimeError, match=r"tried to reach 'huggingface\.co'"):
        get()


def test_only_what_is_opened_is_fetched(hub: Hub, repository: Repository, tmp_path: Path):  # C73
    kept = {"LICENSE", "terms_of_use.pdf", "additional_chat_templates/tool.jinja"}
    left = {
        *("pytorch_model.bin", "pytorch_model.bin.index.json", "training_args.bin", "code.py"),
        *("original/params.json", "onnx/model.onnx", "scores.png", "manual.pdf", ".gitattributes"),
        *("consolidated.safetensors", "sub/model.safetensors", "model.gguf"),
    }
    before = set(repository.files)
    repository.files |= dict.fromkeys([*kept, *left], b"{}")

    got = get()

    assert set(got.files) == before | kept | {".gitattributes"}
    assert not any(a.path.endswith(tuple(left - {".gitattributes"})) for a in hub.asked)
    assert locate(TINY, tmp_path).revision == COMMIT


def test_weights_that_an_index_names_are_fetched(repository: Repository, tmp_path: Path):
    weights = repository.files.pop("model.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "other-1.safetensors"}}
    repository.files["model.safetensors.index.json"] = json.dumps(index).encode()
    repository.files |= {"other-1.safetensors": weights, "consolidated.safetensors": weights}

    got = get()

    assert {"other-1.safetensors"} == {n for n in got.files if n.endswith(".safetensors")}
    assert locate(TINY, tmp_path).parameters > 0


def test_what_is_here_is_not_sent_again(hub: Hub, repository: Repository):
    get()
    hub.asked.clear()

    got = get()

    assert got.downloaded_bytes == 0
    assert not any("/resolve/" in asked.path for asked in hub.asked)


@case("C73", {"trusted as it is": change(download, "digest", lambda _path, f: f.digest)})
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer_config.json"])
def test_damage_in_the_cache_is_found_and_mended(repository: Repository, name: str):
    path = Path(get().folder) / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.resolve().write_bytes(content)

    assert f"{name}: its hash is" in problem()

    assert get().downloaded_bytes == len(content)
    assert path.read_bytes() == repository.files[name]


def test_dry_run_lists_and_brings_nothing(hub: Hub, repository: Repository, hub_cache: Path):
    got = get(dry_run=True)

    assert got.files["model.safetensors"] == len(repository.files["model.safetensors"])
    assert got.downloaded_bytes == 0
    assert not any("/resolve/" in asked.path for asked in hub.asked)
    assert not list(hub_cache.rglob("snapshots"))


def test_line_that_breaks_is_taken_up_again(hub: Hub, repository: Repository):
    size = len(repository.files["model.safetensors"])
    repository.files.pop("tokenizer.json")
    hub.faults = Faults(cut_after=3 * CHUNK + 100)

    get()

    ranges = [a.headers.get("range") for a in hub.seen_by("store")]
    assert ranges == [None, f"bytes={3 * CHUNK}-"]
    assert hub.sent("model.safetensors") == size + 100


class Killed(BaseException):
    """The process ends; nothing is put in order."""


def killed_at(done: int) -> Callable[[Event], None]:
    """A listener that ends the process when so much of the weights is there."""

    def listen(event: Event) -> None:
        if event["name"] == "model.safetensors" and event["done"] >= done:
            raise Killed

    return listen


def test_next_process_goes_on_where_the_last_one_ended(
    hub: Hub, repository: Repository, hub_cache: Path
):
    size = len(repository.files["model.safetensors"])
    with pytest.raises(Killed):
        get(TINY, killed_at(4 * CHUNK))
    assert len(left_over(hub_cache)) == 1
    hub.asked.clear()

    got = get()

    assert hub.seen_by("store")[-1].headers["range"] == f"bytes={4 * CHUNK}-"
    assert hub.sent("model.safetensors") == size - 4 * CHUNK == got.downloaded_bytes
    assert left_over(hub_cache) == []


def test_server_without_ranges_is_asked_from_the_start(
    hub: Hub, repository: Repository, tmp_path: Path
):
    with pytest.raises(Killed):
        get(TINY, killed_at(CHUNK))
    hub.faults = Faults(ignore_range=True)

    get()

    assert locate(TINY, tmp_path).revision == COMMIT


@case("C73", {"hashes are not compared": change(receive, "digest", lambda _path, f: f.digest)})
@pytest.mark.parametrize("name", ["model.safetensors", "generation_config.json"])
def test_file_with_another_hash_is_refused_and_not_kept(
    hub: Hub, repository: Repository, hub_cache: Path, name: str
):
    stated = repository.digest(name)
    hub.faults = Faults(wrong={name})

    told = problem()

    assert name in told and f"the hub states {stated}" in told
    assert not list(hub_cache.rglob(stated))
    assert left_over(hub_cache) == []


def test_what_was_left_over_is_not_trusted(hub: Hub, repository: Repository, hub_cache: Path):
    with pytest.raises(Killed):
        get(TINY, killed_at(CHUNK))
    (part,) = hub_cache.rglob("*.incomplete")
    part.write_bytes(b"x" * CHUNK)

    assert "its hash is" in problem()
    assert get().revision == COMMIT


def test_more_than_there_can_be_is_not_gone_on_with(repository: Repository, hub_cache: Path):
    with pytest.raises(Killed):
        get(TINY, killed_at(CHUNK))
    (part,) = hub_cache.rglob("*.incomplete")
    part.write_bytes(b"x" * (len(repository.files["model.safetensors"]) + 1))

    assert get().revision == COMMIT


def test_token_is_sent_to_the_hub_and_to_no_other_host(
    hub: Hub, repository: Repository, monkeypatch: pytest.MonkeyPatch
):  # C78
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.tokens.add(TOKEN)

    get()

    assert {a.headers.get("authorization") for a in hub.seen_by("hub")} == {f"Bearer {TOKEN}"}
    assert hub.seen_by("store") != []
    assert {a.headers.get("authorization") for a in hub.seen_by("store")} == {None}


def test_code_is_refused_before_the_weights_come(hub: Hub, repository: Repository):  # C74
    config = json.loads(repository.files["config.json"])
    config["auto_map"] = {"AutoModelForCausalLM": "code.Model"}
    repository.files["config.json"] = json.dumps(config).encode()

    assert "`auto_map` names code.Model" in problem()
    assert hub.sent("model.safetensors") == 0


def test_pickle_under_another_name_is_refused(repository: Repository, tmp_path: Path):  # C73
    repository.files["generation_config.json"] = hostile.pickled(tmp_path / "canary")

    assert "(found: pickle)" in problem()
    assert not (tmp_path / "canary").exists()


def test_repository_of_pickles_alone_is_refused(repository: Repository):  # C73
    repository.files["pytorch_model.bin"] = repository.files.pop("model.safetensors")

    told = problem()

    assert "no weights in safetensors (found: pytorch_model.bin)" in told


def test_repository_that_is_no_model_is_refused(repository: Repository):
    del repository.files["config.json"]

    assert "holds no config.json" in problem()


@pytest.mark.parametrize("digest", ["../../../outside", "A" * 64, ""])
def test_hash_that_is_a_path_is_refused(
    repository: Repository, digest: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(repository, "digest", lambda _name: digest)

    assert "answers what a hub would not" in problem()


def test_model_that_another_process_fetches_is_left_alone(repository: Repository):
    begun, end = threading.Event(), threading.Event()

    def wait(_event: Event) -> None:
        begun.set()
        end.wait()

    first = threading.Thread(target=get, args=(TINY, wait))
    first.start()
    begun.wait()
    try:
        with pytest.raises(LockedError, match=rf"process {os.getpid()}") as error:
            get()
    finally:
        end.set()
        first.join()

    assert error.value.exit_code == 73
    assert get().downloaded_bytes == 0


def test_disk_that_is_too_small_is_told_before_anything_comes(
    hub: Hub, repository: Repository, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=100))

    assert "more are needed on disk; 100 bytes are free" in problem()
    assert not any("/resolve/" in asked.path for asked in hub.asked)


def test_disk_that_fills_up_keeps_what_came(repository: Repository, hub_cache: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * CHUNK, limits[1]))
    try:
        told = problem()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert "the disk is full; what has arrived is kept" in told
    assert len(left_over(hub_cache)) == 1
    assert get().revision == COMMIT


def test_cache_that_cannot_be_written_is_told(repository: Repository, hub_cache: Path):
    hub_cache.write_text("a file", encoding="utf-8")

    assert "cannot write the hub's cache" in problem()


@case("C70", {"offline is not heeded": change(quiet, "TRUE", set())})
@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "FOUNDRY_OFFLINE"])
def test_user_who_forbids_connections_is_obeyed(
    hub: Hub, repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(quiet, "_set_by_us", set())

    told = problem()

    assert told == f"{name}: forbids any connection (found: 1)\n  fix: unset {name}"
    assert hub.asked == []


def test_offline_that_we_set_ourselves_does_not_forbid(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with quiet.quiet():
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    assert get().revision == COMMIT
    assert constants.HF_HUB_OFFLINE is True
