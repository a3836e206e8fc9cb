"""A folder becomes tokenizer, template and weights, and never runs code (C74)."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Tokenizer

from foundry.core.errors import ResourceError
from foundry.models.fetch import locate
from foundry.models.light_tokenizer import open_light
from foundry.models.load import chat_template, control_tokens, family_of, load_model
from foundry.models.probes import TEXTS
from foundry.models.tokenizer import follows, ids_by_file, load_tokenizer, open_tokenizer
from foundry.models.word_split import STEPS
from tests import hostile, tiny
from tests.templates import stock_template
from tests.tiny_models import MODELS


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be changed."""
    return Path(shutil.copytree(tiny_llama, tmp_path / "base"))


def test_tokenizer_that_asks_for_code_is_never_asked_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):  # C74
    hostile.edit(
        folder / "tokenizer_config.json",
        tokenizer_class="Nobodys",
        auto_map={"AutoTokenizer": ["code.Tokenizer", None]},
    )
    (folder / "code.py").write_text(f"open({str(folder / 'canary')!r}, 'w')", encoding="utf-8")
    # transformers asks "Do you wish to run the custom code? [y/N]" where nobody said no.
    monkeypatch.setattr("builtins.input", lambda _question: "y")

    with pytest.raises(ValueError, match="trust_remote_code"):
        open_tokenizer(folder)

    assert not (folder / "canary").exists()


def of_gpt2(folder: Path) -> Path:
    """The folder, its tokenizer of a class that transformers builds by a rule of its own."""
    hostile.edit(folder / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    spaces = {"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated", "invert": False}
    steps = [spaces, *STEPS["qwen2"]]
    rule = {"type": "Sequence", "pretokenizers": steps}
    hostile.edit(folder / "tokenizer.json", pre_tokenizer=rule)
    return folder


def test_tokenizer_splits_as_its_file_says_whatever_its_class(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(GPT2Tokenizer, "padding_side", "left")  # as the class of Llama 2 does
    monkeypatch.setattr(GPT2Tokenizer, "model_input_names", ["input_ids"])
    base = locate(str(of_gpt2(folder)), folder)
    light = open_light(folder)
    assert light is not None

    loaded, others = load_tokenizer(base), open_tokenizer(folder)

    def ids(tokenizer: Any) -> list[list[int]]:
        return [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]

    assert ids(loaded) == ids(light)
    assert ids(loaded) != ids(others)
    assert (loaded.eos_token, loaded.bos_token) == (others.eos_token, others.bos_token)
    assert loaded.chat_template == others.chat_template
    assert (loaded.padding_side, loaded.model_input_names) == ("left", ["input_ids"])


def follows_its_file(folder: Path) -> bool:
    own = ids_by_file(folder)
    return own is not None and follows(open_tokenizer(folder), own)


def test_tokenizer_that_follows_its_file_keeps_its_class(tiny_llama: Path, folder: Path):
    assert follows_its_file(tiny_llama)
    assert not follows_its_file(of_gpt2(folder))


def test_padding_in_the_file_is_no_other_split(folder: Path):
    padding = {"strategy": {"Fixed": 512}, "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<s>"}
    truncation = {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    hostile.edit(folder / "tokenizer.json", padding=padding, truncation=truncation)

    assert follows_its_file(folder)


def test_family_follows_the_model_type(tiny_llama: Path, tiny_gemma3: Path):
    assert (family_of(tiny_llama), family_of(tiny_gemma3)) == ("llama", "gemma3")


def test_unknown_model_type_is_told_with_those_known(folder: Path):
    hostile.edit(folder / "config.json", model_type="mamba")

    with pytest.raises(ResourceError, match="`mamba` cannot be trained yet; known are: apertus, "):
        family_of(folder)


def test_folder_without_configuration_is_told(tmp_path: Path):
    with pytest.raises(ResourceError, match=r"no config\.json in the model's folder"):
        family_of(tmp_path)


def test_tokenizers_own_template_comes_first(folder: Path):  # C37
    (folder / "chat_template.jinja").write_text("own", encoding="utf-8")
    base = locate(str(folder), folder)

    assert chat_template(base, load_tokenizer(base)) == "own"


@pytest.mark.parametrize(("fixture", "name"), [("tiny_llama", "llama3"), ("tiny_gemma3", "gemma3")])
def test_family_has_a_real_template_for_a_base_without_one(
    fixture: str, name: str, request: pytest.FixtureRequest
):
    base = locate(str(request.getfixturevalue(fixture)), Path())

    assert chat_template(base, load_tokenizer(base)) == stock_template(name)


def test_control_tokens_are_those_that_may_end_a_turn(tiny_gemma3: Path):
    tokenizer = open_tokenizer(tiny_gemma3)
    tokenizer.add_tokens(["</tool_call>", "</think>"])

    special = control_tokens(tokenizer)

    assert special == {
        "<bos>": 0,
        "<eos>": 1,
        "<pad>": 2,
        "<start_of_turn>": 3,
        "<end_of_turn>": 4,
    }


def test_weights_are_float32_and_in_evaluation_mode(folder: Path):  # C23
    base = locate(str(folder), folder)
    load_model(base).to(torch.bfloat16).save_pretrained(folder)

    model = load_model(base)

    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not model.training


def test_weights_of_another_folder_are_read_where_one_is_given(folder: Path, tiny_llama: Path):
    base = locate(str(tiny_llama), Path())
    other = load_model(base)
    with torch.no_grad():
        other.lm_head.weight.zero_()
    other.save_pretrained(folder)

    assert not load_model(base, folder=folder).lm_head.weight.any()
    assert load_model(base).lm_head.weight.any()


def test_family_without_a_template_to_lend_needs_one_of_the_tokenizer(one_thread, tmp_path: Path):
    base = locate(str(tiny.build(tmp_path / "granite", "granite")), tmp_path)
    tokenizer = load_tokenizer(base)
    assert chat_template(base, tokenizer) == MODELS["granite"].source

    tokenizer.chat_template = None

    with pytest.raises(ResourceError, match="the family `granite` has none to lend") as error:
        chat_template(base, tokenizer)
    assert "instruction-tuned" in str(error.value.problems[0].fix)


def test_default_of_several_templates_is_taken(tiny_llama: Path, tmp_path: Path):
    base = locate(str(tiny_llama), tmp_path)
    tokenizer = load_tokenizer(base)

    tokenizer.chat_template = {"tool_use": "{{ tools }}", "default": "{{ messages }}"}

    assert chat_template(base, tokenizer) == "{{ messages }}"
