"""What lies in a model folder is known to be harmless, or nothing of it is opened."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core.errors import ResourceError
from foundry.models import contents
from foundry.models import folder as rules
from foundry.models.fetch import locate
from foundry.models.folder import NEVER_OPENED, PICKLES, TEXTS, check_folder, check_torch
from foundry.models.load import load_model
from foundry.train.adapter_files import load_tuned
from tests import hostile
from tests.cases import case, change


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be changed."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What the payloads make."""
    return tmp_path / "canary"


def told(folder: Path) -> dict[str, str]:
    """Path in the folder -> what is wrong with the file."""
    with pytest.raises(ResourceError) as error:
        check_folder(folder)
    return {os.path.relpath(p.where, folder): p.what for p in error.value.problems}


def fix_of(folder: Path) -> str:
    """What the only problem of a folder suggests."""
    with pytest.raises(ResourceError) as error:
        check_folder(folder)
    (problem,) = error.value.problems
    return str(problem.fix)


def nothing(*_arguments: object) -> list[object]:
    """A rule that finds no fault."""
    return []


def test_plain_folder_is_accepted(folder: Path):
    check_folder(folder)


def test_what_model_repositories_hold_besides_is_accepted(folder: Path):
    names = ["LICENSE", "NOTICE", "USE_POLICY.md", "README.md", ".gitattributes", "merges.txt"]
    for name in [*names, "LICENSE-GEMMA", "chat_template.jinja", "figures/scores.png", "terms.pdf"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"text")
    (folder / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>\x15")
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_bytes(b"DIRC")

    check_folder(folder)


@pytest.mark.parametrize("name", ["x.h5", "x.msgpack", "x.npz", "x.zip", "x.so", "x.exe", "x"])
def test_kind_that_is_not_on_the_list_is_refused_by_name(folder: Path, name: str):
    (folder / name).write_bytes(b"")

    assert "are not opened" in told(folder)[name]


def test_every_fault_is_named_at_once_also_in_folders_below(folder: Path):
    base = locate(str(folder), folder)
    (folder / "below").mkdir()
    for name in ("pytorch_model.bin", "below/code.py"):
        (folder / name).write_bytes(b"")

    with pytest.raises(ResourceError) as error:
        load_model(base)

    assert [p.where for p in error.value.problems] == [
        str(folder / "pytorch_model.bin"),
        str(folder / "below/code.py"),
    ]


def test_payload_would_make_the_canary(canary: Path):
    pickle.loads(hostile.pickled(canary))

    assert canary.exists()


@case("C73", {"pickles are on the list": change(rules, "TEXTS", TEXTS | PICKLES)})
@pytest.mark.parametrize("name", ["pytorch_model.bin", "optimizer.pt", "rng_state.pth"])
def test_pickle_is_refused_by_name_and_not_opened(folder: Path, canary: Path, name: str):
    (folder / name).write_bytes(hostile.pickled(canary))

    with pytest.raises(ResourceError, match=rf"{name}: files of the kind .* may hold a pickle"):
        locate(str(folder), folder)

    assert not canary.exists()


@case("C73", {"content is not looked at": change(contents, "_disguise", lambda _path: None)})
@pytest.mark.parametrize("name", ["model-2.safetensors", "extra.json", "tokenizer.json", "a.txt"])
@pytest.mark.parametrize("payload", [hostile.pickled, hostile.torch_saved])
def test_pickle_under_another_name_is_refused(
    folder: Path, canary: Path, name: str, payload: Callable[[Path], bytes]
):
    (folder / name).write_bytes(payload(canary))

    found = told(folder)

    assert list(found) == [name]
    assert found[name].startswith("its content is not what its name says (found: ")
    assert not canary.exists()


@case("C73", {"adapters are not checked": change(rules, "_look_into", nothing)})
def test_adapter_that_is_a_pickle_is_refused(folder: Path, canary: Path, tmp_path: Path):
    base = locate(str(folder), folder)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.bin").write_bytes(hostile.torch_saved(canary))

    with pytest.raises((ResourceError, OSError)) as caught:
        load_tuned(base, adapter)

    assert isinstance(caught.value, ResourceError) and "adapter_model.bin" in str(caught.value)
    assert not canary.exists()


def test_conversion_that_is_suggested_reads_tensors_and_runs_no_code(
    folder: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
):
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.ones(2)}, folder / "pytorch_model.bin")
    command = fix_of(folder).split("python -c ")[1].strip('"')
    monkeypatch.chdir(folder)

    exec(command, {})

    assert (folder / "model.safetensors").is_file()
    (folder / "pytorch_model.bin").write_bytes(hostile.torch_saved(canary))
    with pytest.raises(pickle.UnpicklingError):
        exec(command, {})
    assert not canary.exists()
    (folder / "pytorch_model.bin").unlink()
    check_folder(folder)


def test_pickle_beside_safetensors_is_to_be_removed(folder: Path):
    (folder / "pytorch_model.bin").write_bytes(b"")

    assert fix_of(folder) == "remove it; weights are read from .safetensors files alone"


@case("C73", {"any torch will do": change(rules, "MINIMUM_TORCH", (0, 0))})
@pytest.mark.parametrize("found", ["2.5.1", "2.9.1+cu126"])
def test_torch_that_runs_code_while_it_reads_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: str
):
    monkeypatch.setattr(rules, "installed", lambda _name: found)

    with pytest.raises(ResourceError, match=rf"{found[:5]}.* at least 2\.10 is needed"):
        check_torch()


@pytest.mark.parametrize("found", ["2.10.0", "2.13.0+cpu", "3.0", None])
def test_torch_without_that_fault_is_accepted(monkeypatch: pytest.MonkeyPatch, found: str | None):
    monkeypatch.setattr(rules, "installed", lambda _name: found)

    check_torch()


CODE = {"AutoModelForCausalLM": "code.Model"}


@case("C74", {"no key is known to ask for code": change(contents, "CODE_KEYS", set())})
@pytest.mark.parametrize(
    ("file", "values", "key"),
    [
        ("config.json", {"auto_map": CODE}, "auto_map"),
        ("config.json", {"text_config": {"auto_map": CODE}}, "text_config.auto_map"),
        ("config.json", {"parts": [{"auto_map": CODE}]}, "parts.0.auto_map"),
        ("tokenizer_config.json", {"auto_map": CODE}, "auto_map"),
        ("preprocessor_config.json", {"auto_map": CODE}, "auto_map"),
        ("adapter_config.json", {"auto_map": CODE}, "auto_map"),
        ("config.json", {"custom_pipelines": {"x": {"impl": "code.Model"}}}, "custom_pipelines"),
    ],
)
def test_configuration_that_asks_for_code_is_refused(
    folder: Path, canary: Path, file: str, values: dict[str, object], key: str
):
    hostile.ask_for_code(folder, canary, file, **values)

    found = told(folder)

    assert found.get(file) == f"asks to run code of its own: `{key}` names code.Model"
    assert "code.py" in found
    assert not canary.exists()


@case("C74", {"no key is known to ask for a kernel": change(contents, "KERNEL_KEYS", set())})
@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation_internal": "evil/kernel@main"},
        {"text_config": {"_attn_implementation": {"": "evil/kernel"}}},
    ],
)
def test_configuration_that_asks_for_a_kernel_of_the_hub_is_refused(
    folder: Path, values: dict[str, object]
):
    hostile.edit(folder / "config.json", **values)

    assert "names evil/kernel" in told(folder)["config.json"]


def test_key_written_with_an_escape_is_seen(folder: Path):  # C74
    path = folder / "config.json"
    path.write_text('{"auto\\u005fmap": {"AutoConfig": "code.Config"}}', encoding="utf-8")

    assert "`auto_map` names code.Config" in told(folder)["config.json"]


def test_implementation_that_transformers_has_is_accepted(folder: Path):
    hostile.edit(folder / "config.json", attn_implementation="sdpa", auto_map=None)

    check_folder(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000], ids=len)
def test_json_that_is_none_is_refused(folder: Path, content: bytes):
    (folder / "generation_config.json").write_bytes(content)

    assert "not a JSON file" in told(folder)["generation_config.json"]


def test_json_too_large_for_a_configuration_is_refused(folder: Path):
    with (folder / "config.json").open("r+b") as stream:
        stream.truncate(contents.MAX_JSON_BYTES + 1)

    assert "larger than any configuration" in told(folder)["config.json"]


@pytest.mark.parametrize("name", ["zeros.zip", "zeros.json", "model-2.safetensors", "README.md"])
def test_zip_bomb_is_refused_and_never_unpacked(folder: Path, name: str):
    (folder / name).write_bytes(hostile.zip_bomb())

    assert name in told(folder)


def test_cut_weights_are_refused(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])

    assert "not a whole safetensors file" in told(folder)["model.safetensors"]


def test_header_whose_length_looks_like_a_pickle_is_accepted(folder: Path):
    header = b'{"__metadata__":{"k":"' + b"x" * (0x280 - 25) + b'"}}'
    (folder / "model-2.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)

    assert (folder / "model-2.safetensors").read_bytes()[:2] == b"\x80\x02"
    check_folder(folder)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "../model.safetensors", ".cache/x.safetensors", "/x.safetensors"]
)
def test_index_that_sends_elsewhere_is_refused(folder: Path, name: str):
    index = {"weight_map": {"a": "model.safetensors", "b": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    assert told(folder)["model.safetensors.index.json"] == (
        f"sends to a file that is not read ({name})"
    )


def test_weights_that_an_index_names_must_be_there(folder: Path):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    assert "(model-2.safetensors)" in told(folder)["model.safetensors.index.json"]


@pytest.mark.parametrize("target", ["../outside.json", "/etc/hostname", "../outside"])
def test_link_that_leads_out_is_refused(folder: Path, target: str):
    (folder.parent / "outside.json").write_text("{}", encoding="utf-8")
    (folder.parent / "outside").mkdir()
    (folder / "extra.json").symlink_to(target)

    assert told(folder)["extra.json"] == f"a link that leads out of the folder ({target})"


def test_link_to_nothing_and_a_pipe_are_refused(folder: Path):
    (folder / "a.json").symlink_to("nothing.json")
    os.mkfifo(folder / "b.json")

    assert told(folder) == {
        "a.json": "a link to a file that is not there",
        "b.json": "not a plain file; it is not opened",
    }


def test_links_of_the_hubs_cache_are_followed(folder: Path, tmp_path: Path):
    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for path in folder.iterdir():
        path.rename(repository / "blobs" / path.name)
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")

    check_folder(snapshot)

    (repository / "blobs" / "model.safetensors").write_bytes(b"PK\x03\x04")
    assert list(told(snapshot)) == ["model.safetensors"]


def test_pictures_are_let_be_but_not_a_pickle_called_one(folder: Path, canary: Path):
    assert ".png" in NEVER_OPENED
    (folder / "a.png").write_bytes(hostile.pickled(canary))

    assert list(told(folder)) == ["a.png"]
