"""Where a base model lies, or what to do about it; nothing is downloaded (C70, C71)."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core import atomic
from foundry.core.errors import RecipeError, ResourceError
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_files import write_model
from foundry.encode.tokenize import open_encoder
from foundry.models import catalogue, fetch, gguf_header
from foundry.models import embedded as embedded_models
from foundry.models.catalogue import Embedded, Entry
from foundry.models.embedded import GGUF_NAME, RECORD_NAME, home, is_made, materialise
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.tokenizer import load_tokenizer
from foundry.models.word_split import STEPS, definition, name_of
from tests import hostile
from tests.cases import case, change

COMMIT = "c0ffee" + "0" * 34


@pytest.fixture
def foundry_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for prepared models."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_folder_beside_the_recipe_is_found(tiny_llama: Path):
    base = locate("tiny-llama", tiny_llama.parent)

    assert (base.name, base.family, base.folder) == ("tiny-llama", "llama", str(tiny_llama))
    assert (base.hub_id, base.revision, base.gguf) == (None, None, None)
    assert base.context == 512


def test_folder_of_the_working_folder_is_found(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tiny_llama.parent)

    assert locate("tiny-llama", tmp_path).folder == str(tiny_llama)


def test_base_is_known_by_the_hash_and_size_of_its_weights(tiny_llama: Path):  # C43
    weights = tiny_llama / "model.safetensors"

    base = locate(str(tiny_llama), Path())

    assert base.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert base.parameters == sum(p.numel() for p in load_model(base).parameters())


def test_weights_in_several_files_have_one_hash_and_all_parameters(
    tiny_llama: Path, tmp_path: Path
):
    whole = locate(str(tiny_llama), tmp_path)
    load_model(whole).save_pretrained(tmp_path / "base", max_shard_size="200KB")

    split = locate(str(tmp_path / "base"), tmp_path)

    assert len(list((tmp_path / "base").glob("*.safetensors"))) > 1
    assert split.parameters == whole.parameters
    assert len(split.sha256) == 64
    assert split.sha256 != whole.sha256


@pytest.mark.parametrize("path", ["./modles/base", "/no/such/folder", "~/base", "a/b/c", "..\\b"])
def test_path_that_does_not_exist_is_told_as_a_path(path: str, tmp_path: Path):  # C71
    with pytest.raises(ResourceError, match="the folder does not exist") as error:
        locate(path, tmp_path)

    assert error.value.problems[0].where == path


def test_mistyped_name_is_told_with_the_nearest(tmp_path: Path):  # C71
    with pytest.raises(RecipeError) as error:
        locate("gemma-3-270n", tmp_path)

    assert error.value.problems[0].fix == "use `gemma-3-270m`"


def test_name_unlike_any_is_told_where_names_are(tmp_path: Path):  # C71
    with pytest.raises(RecipeError, match="see `foundry model list`"):
        locate("qqqqqqqq", tmp_path)


@pytest.mark.parametrize(
    ("base_model", "command"),
    [
        ("owner/tiny", "foundry model fetch owner/tiny"),
        (f"owner/tiny@{COMMIT}", f"foundry model fetch owner/tiny@{COMMIT}"),
    ],
)
def test_hub_id_that_is_not_cached_is_told_with_the_command(
    base_model: str, command: str, tmp_path: Path, hub_cache: Path
):  # C70, C71: the network guard of the tests would raise on an attempt to connect
    with pytest.raises(ResourceError, match="not on this machine") as error:
        locate(base_model, tmp_path)

    assert error.value.problems[0].fix == command


def test_catalogue_entry_that_is_not_cached_is_told_with_the_command(
    tmp_path: Path, hub_cache: Path
):  # C70, C71
    with pytest.raises(ResourceError, match="nothing is downloaded unasked") as error:
        locate("llama-3.1-8b", tmp_path)

    assert error.value.problems[0].fix == "foundry model fetch llama-3.1-8b"


def cache(folder: Path, hub_cache: Path, hub_id: str) -> Path:
    """Lay a folder into the hub's cache as `hf download` does."""
    repository = hub_cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = Path(shutil.copytree(folder, repository / "snapshots" / COMMIT))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return snapshot


@pytest.mark.parametrize("base_model", ["owner/Tiny-Llama", f"owner/Tiny-Llama@{COMMIT}"])
def test_cached_hub_id_is_found_with_its_commit(
    base_model: str, tiny_llama: Path, tmp_path: Path, hub_cache: Path
):  # C43, C70
    snapshot = cache(tiny_llama, hub_cache, "owner/Tiny-Llama")

    base = locate(base_model, tmp_path)

    assert base.folder == str(snapshot)
    assert (base.name, base.hub_id, base.revision) == ("tiny-llama", "owner/Tiny-Llama", COMMIT)


@case("C70", {"nobody looks": change(fetch, "_missing", lambda _wanted, _folder: [])})
@pytest.mark.parametrize("fault", ["lost", "cut short"])
def test_file_that_the_hub_listed_and_is_not_here_is_named_with_the_command(
    tiny_llama: Path, tmp_path: Path, hub_cache: Path, fault: str
):
    """A fetch that ended early, or a damaged cache: told before training, and not downloaded."""
    snapshot = cache(tiny_llama, hub_cache, "owner/tiny")
    sizes = {p.name: {"size": p.stat().st_size, "blob_id": "0" * 40} for p in snapshot.iterdir()}
    listed = {"format_version": 1, "files": sizes}
    atomic.write_json(snapshot.parents[1] / "trees" / f"{COMMIT}.json", listed)
    assert locate("owner/tiny", tmp_path).revision == COMMIT
    if fault == "lost":
        (snapshot / "tokenizer_config.json").unlink()
    else:
        (snapshot / "tokenizer_config.json").write_text("{}", encoding="utf-8")

    with pytest.raises(ResourceError, match=r"\(missing: tokenizer_config\.json\)") as error:
        locate("owner/tiny", tmp_path)

    assert error.value.problems[0].fix == "foundry model fetch owner/tiny"


def test_cached_model_with_pickled_weights_is_refused(
    tiny_llama: Path, tmp_path: Path, hub_cache: Path
):  # C73
    snapshot = cache(tiny_llama, hub_cache, "owner/tiny")
    (snapshot / "pytorch_model.bin").write_bytes(b"")

    with pytest.raises(ResourceError, match=r"files of the kind `\.bin` are not opened"):
        locate("owner/tiny", tmp_path)


def test_folder_without_safetensors_is_told(tiny_llama: Path, tmp_path: Path):  # C73
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "base"))
    (folder / "model.safetensors").unlink()

    with pytest.raises(ResourceError, match=r"no \.safetensors file"):
        locate(str(folder), tmp_path)


def test_settings_of_the_base_have_a_hash_of_their_own(tiny_llama: Path, tmp_path: Path):  # C21
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "base"))
    before = locate(str(folder), tmp_path)

    (folder / "chat_template.jinja").write_text("other", encoding="utf-8")

    after = locate(str(folder), tmp_path)
    assert after.settings_sha256 != before.settings_sha256
    assert after.sha256 == before.sha256


def test_home_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    assert home() == tmp_path

    monkeypatch.delenv("FOUNDRY_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert home() == tmp_path / "cache" / "foundry"

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache" / "foundry"


@pytest.fixture
def embedded(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foundry_home: Path
) -> Iterator[Entry]:
    """A catalogue entry whose package holds the tiny Llama as GGUF."""
    base = locate(str(tiny_llama), tmp_path)
    package = tmp_path / "packages" / "tiny_gguf"
    package.mkdir(parents=True)
    tuned = Tuned(base, tmp_path, open_encoder(base), (4, 1), "Tiny")
    write_model(tuned, load_model(base), package / "tiny.gguf", quantization="f16")
    (package / "__init__.py").write_text(
        "import pathlib, shutil\n\n\n"
        "def assemble(path):\n"
        "    shutil.copyfile(pathlib.Path(__file__).with_name('tiny.gguf'), path)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(package.parent))
    held = Embedded(
        package="tiny-gguf",
        module="tiny_gguf",
        file="tiny.gguf",
        sha256=atomic.sha256(package / "tiny.gguf"),
        install="pip install tiny-gguf",
    )
    yield catalogue.find("smollm2-135m").model_copy(update={"name": "tiny", "embedded": held})
    sys.modules.pop("tiny_gguf", None)  # another test has its package elsewhere


def changed(entry: Entry, **values: str | None) -> Entry:
    """The entry with another package."""
    assert entry.embedded is not None
    return entry.model_copy(update={"embedded": entry.embedded.model_copy(update=values)})


@pytest.mark.parametrize("file", ["tiny.gguf", None], ids=["file", "parts joined by the package"])
def test_embedded_model_becomes_a_folder(
    embedded: Entry, file: str | None, tiny_llama: Path, foundry_home: Path
):
    folder = materialise(changed(embedded, file=file))

    base = locate(str(folder), folder)
    original = locate(str(tiny_llama), folder)
    assert folder.parent == foundry_home / "models"
    assert base.gguf == str(folder / GGUF_NAME)
    ids = torch.tensor([[0, 20, 30, 40]])
    with torch.no_grad():
        found, wanted = load_model(base)(ids).logits, load_model(original)(ids).logits
    assert (found - wanted).abs().max() < 0.05  # float16 weights
    text = "請問電風扇 hello"
    assert load_tokenizer(base)(text)["input_ids"] == load_tokenizer(original)(text)["input_ids"]


def test_embedded_model_is_made_once(embedded: Entry):
    folder = materialise(embedded)
    before = (folder / "model.safetensors").stat().st_mtime_ns

    assert materialise(embedded) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_folder_of_an_earlier_conversion_is_mended_in_its_place(embedded: Entry):
    folder = materialise(embedded)
    tokenizer, record = folder / "tokenizer.json", folder / RECORD_NAME
    said, weights = json.loads(tokenizer.read_bytes()), folder / "model.safetensors"
    before = weights.stat().st_mtime_ns, weights.stat().st_ino
    hostile.edit(tokenizer, pre_tokenizer=definition("gpt-2"))
    hostile.edit(record, conversion=1)
    assert not is_made(folder)

    materialise(changed(embedded, module="no_such_module"))  # the package is not needed again

    assert is_made(folder)
    assert json.loads(tokenizer.read_bytes()) == said
    assert (weights.stat().st_mtime_ns, weights.stat().st_ino) == before  # who reads them goes on


def test_embedded_model_that_two_want_at_once_is_made_by_one(
    embedded: Entry, monkeypatch: pytest.MonkeyPatch
):
    made, real = [], embedded_models._make

    def slow(*args: Any) -> None:
        made.append(args)
        time.sleep(0.2)
        real(*args)

    monkeypatch.setattr(embedded_models, "_make", slow)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(materialise, [embedded, embedded]))

    assert len(made) == 1
    assert folders[0] == folders[1]


def test_embedded_model_splits_words_as_its_file_says(embedded: Entry, tiny_llama: Path):
    folder = materialise(embedded)

    rules = [
        json.loads((each / "tokenizer.json").read_text("utf-8"))["pre_tokenizer"]
        for each in (folder, tiny_llama)
    ]

    assert [name_of(rule) for rule in rules] == ["llama-bpe", "llama-bpe"]


def test_rule_that_is_not_known_is_refused(embedded: Entry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(STEPS, "llama-bpe")

    with pytest.raises(ResourceError, match="how the tokenizer `llama-bpe` splits words is not"):
        materialise(embedded)


def test_file_that_names_no_rule_is_refused(embedded: Entry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gguf_header, "texts", lambda _path: {"tokenizer.ggml.model": "gpt2"})

    with pytest.raises(ResourceError, match="how the tokenizer `default` splits words is not"):
        materialise(embedded)


def test_embedded_model_is_known_by_its_packages_hash(embedded: Entry):
    folder = materialise(embedded)

    record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))

    base = locate(str(folder), folder)
    assert embedded.embedded is not None
    assert base.sha256 == record["sha256"] == embedded.embedded.sha256
    assert base.parameters == record["parameters"]
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())


def test_embedded_file_with_another_hash_leaves_nothing(embedded: Entry, foundry_home: Path):
    with pytest.raises(ResourceError, match=r"SHA-256 is .*, expected 0000") as error:
        materialise(changed(embedded, sha256="0" * 64))

    assert error.value.problems[0].fix == "pip install --force-reinstall tiny-gguf"
    left = [path.name for path in (foundry_home / "models").iterdir()]
    assert left == ["tiny-00000000.lock"]


def test_package_that_is_not_installed_is_told_with_the_command(embedded: Entry):
    with pytest.raises(ResourceError, match=r"`tiny-gguf` .* is not installed") as error:
        materialise(changed(embedded, module="no_such_module"))

    assert error.value.problems[0].fix == "pip install tiny-gguf"


def test_entry_without_a_package_is_our_mistake(embedded: Entry):
    with pytest.raises(ValueError, match="is not an embedded model"):
        materialise(embedded.model_copy(update={"embedded": None}))


@pytest.mark.slow
def test_embedded_gemma_is_the_model_of_the_catalogue(tmp_path: Path):
    entry = catalogue.find("gemma-3-270m")

    base = locate("gemma-3-270m", tmp_path)

    assert entry.embedded is not None
    assert base.sha256 == entry.embedded.sha256
    assert base.parameters == entry.parameters
    assert base.context == entry.context
    assert (base.family, base.licence) == ("gemma3", "gemma")
    assert load_tokenizer(base)("<end_of_turn>", add_special_tokens=False)["input_ids"] == [106]
