"""A rule of where words end is known by every one of its steps."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from foundry.core.records import BaseModel
from foundry.models import embedded
from foundry.models.fetch import locate
from foundry.models.probes import TEXTS
from foundry.models.tokenizer import load_tokenizer
from foundry.models.word_split import STEPS, definition, name_of
from foundry.runtime.llamacpp import LlamaCppRuntime

DIGITS = {"type": "Digits", "individual_digits": True}


@pytest.mark.parametrize("name", STEPS)
def test_rule_is_known_by_its_name(name: str):
    assert name_of(definition(name)) == name


def test_rule_of_one_step_needs_no_sequence():
    assert name_of(STEPS["gpt-2"][0]) == "gpt-2"


@pytest.mark.parametrize("found", [None, {}, {"type": "Metaspace"}, DIGITS])
def test_no_other_rule_is_known(found: dict[str, Any] | None):
    assert name_of(found) is None
    assert definition("deepseek-v3") is None


@pytest.mark.parametrize(
    ("step", "key", "value"),
    [(0, "behavior", "Removed"), (0, "invert", True), (1, "add_prefix_space", True)],
)
def test_one_setting_more_makes_another_rule(step: int, key: str, value: Any):
    steps = deepcopy(STEPS["llama-bpe"])
    steps[step][key] = value

    assert name_of({"type": "Sequence", "pretokenizers": steps}) is None


def test_where_a_token_is_said_to_lie_is_no_part_of_the_rule():
    steps = deepcopy(STEPS["llama-bpe"])
    del steps[1]["trim_offsets"]

    assert name_of({"type": "Sequence", "pretokenizers": steps}) == "llama-bpe"


def read_otherwise(base: BaseModel) -> list[str]:
    """The probes that llama.cpp reads in a base's own file with other ids than its tokenizer."""
    assert base.gguf is not None
    tokenizer = load_tokenizer(base)
    with LlamaCppRuntime(Path(base.gguf)) as file:
        return [
            text
            for text in TEXTS
            if file.tokens(text) != list(tokenizer(text, add_special_tokens=False)["input_ids"])
        ]


def all_joined() -> Any:
    """A tokenizer that has joined the probes' bytes across every place where a rule may cut."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4000, min_frequency=1, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(TEXTS, trainer)
    return json.loads(raw.to_str())


def test_probes_tell_every_rule_from_every_other():
    from tokenizers import Tokenizer

    joined, digits_first = all_joined(), [DIGITS, *STEPS["llama-bpe"]]
    rules = [*STEPS.values(), digits_first]
    steps = [{"pre_tokenizer": {"type": "Sequence", "pretokenizers": rule}} for rule in rules]
    made = [Tokenizer.from_str(json.dumps(joined | rule)) for rule in steps]

    ids = [[one.encode(text).ids for text in TEXTS] for one in made]

    assert all(ids.count(each) == 1 for each in ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma-3-270m", "smollm2-135m"])
def test_embedded_model_reads_texts_as_llama_cpp_reads_its_file(name: str):  # C34, C35
    assert read_otherwise(locate(name, Path())) == []


@pytest.mark.slow
def test_probes_find_the_rule_that_transformers_gives_every_byte_level_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # C35
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr(embedded, "split_as_the_file", lambda _gguf, _tokenizer: None)

    wrong = read_otherwise(locate("smollm2-135m", tmp_path))

    assert "步驟：\n\n1. 關機\n\n2. 拔插頭\n  3) 等 10 分鐘\r\n\r\n完成" in wrong
