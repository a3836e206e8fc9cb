"""What is supervised, on ids: decided by position, with one BOS and the real terminator."""

from typing import Any

import pytest
from tokenizers import AddedToken

from foundry.encode.rows import Encoded, encode
from foundry.encode.tokenize import IGNORED, Encoder, open_encoder
from foundry.models.fetch import locate
from tests.encoders import FAMILIES, NO_BOS, check, conversation, encoder_of, example, tiny_encoder

TERMINATOR = {"llama": "<|eot_id|>", "gemma3": "<end_of_turn>"}
CHAT = example("電風扇多少錢？", "三百元。", "Is it white?", "Yes, and black 👍.")


def supervised_ids(encoded: Encoded) -> list[int]:
    return [label for label in encoded.row.labels if label != IGNORED]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_supervised_text_is_the_answers_and_their_ends(family: str):  # C03, C04
    encoder = tiny_encoder(family)

    encoded = encode(CHAT, encoder)

    end = TERMINATOR[family]
    text = encoder.tokenizer.decode(supervised_ids(encoded))
    assert text == f"三百元。{end}Yes, and black 👍.{end}"


def test_label_is_the_id_of_its_own_position(family: str):  # C15
    row = encode(CHAT, tiny_encoder(family)).row

    assert len(row.labels) == len(row.input_ids)
    assert all(b in (a, IGNORED) for a, b in zip(row.input_ids, row.labels, strict=True))


def test_terminator_of_answers_alone_is_supervised_though_it_is_not_the_eos(family: str):  # C80
    encoder = tiny_encoder(family)
    end = encoder.special[TERMINATOR[family]]

    encoded = encode(CHAT, encoder)

    ends = [n for n, token in enumerate(encoded.row.input_ids) if token == end]
    assert end != encoder.tokenizer.eos_token_id
    assert [encoded.row.labels[n] for n in ends] == [IGNORED, end, IGNORED, end]
    assert encoded.pieces[0].stops == (end, end)


def test_system_text_of_the_recipe_stands_once_and_is_not_supervised(family: str):  # C19
    encoder = tiny_encoder(family, system="你是店員。")

    encoded = encode(CHAT, encoder)

    assert encoder.tokenizer.decode(encoded.row.input_ids).count("你是店員。") == 1
    assert "店員" not in encoder.tokenizer.decode(supervised_ids(encoded))


def test_system_turn_of_a_row_comes_before_that_of_the_recipe(family: str):  # C19
    encoder = tiny_encoder(family, system="你是店員。")
    row = example("多少錢？", "三百元。", system="你是會計。")

    text = encoder.tokenizer.decode(encode(row, encoder).row.input_ids)

    assert "你是會計。" in text
    assert "你是店員。" not in text


def test_prompt_of_use_is_the_head_of_the_trained_row(family: str):  # C28
    encoder = tiny_encoder(family, system="你是店員。")
    row = encode(CHAT, encoder).row

    prompt = encoder.prompt_ids(CHAT.prompt)

    assert list(row.input_ids[: len(prompt)]) == prompt
    assert row.labels[len(prompt) - 1] == IGNORED
    assert row.labels[len(prompt)] != IGNORED


@pytest.mark.parametrize("template", [None, NO_BOS], ids=["with BOS", "without BOS"])
def test_every_row_and_prompt_begins_with_one_bos(template: str | None):  # C09
    encoder = tiny_encoder("llama", template=template)

    row, prompt = encode(CHAT, encoder).row, encoder.prompt_ids(CHAT.prompt)

    assert encoder.tokenizer("a")["input_ids"][0] == encoder.bos_id  # it adds one by itself
    for ids in (row.input_ids, prompt, encoder.ids("plain text")):
        assert list(ids[:2]).count(encoder.bos_id) == 1
        assert ids[0] == encoder.bos_id


def test_bos_put_in_front_is_not_supervised():  # C09
    encoder = tiny_encoder("llama", template=NO_BOS)

    row = encode(CHAT, encoder).row

    assert row.labels[0] == IGNORED
    assert encoder.tokenizer.decode(supervised_ids(encode(CHAT, encoder))).startswith("三百元")


def test_model_without_bos_gets_none():  # C09
    tokenizer = tiny_encoder("llama").tokenizer
    tokenizer.bos_token = None
    encoder = encoder_of(tokenizer, NO_BOS)

    ids = encode(CHAT, encoder).row.input_ids

    assert ids[0] == encoder.special["<|start_header_id|>"]


def test_ids_are_plain_lists_of_int(family: str):  # C08
    encoder = tiny_encoder(family)

    turns = conversation("多少錢？")
    text = encoder.render(turns, add_generation_prompt=True)

    ids = encoder.prompt_ids(turns)

    assert ids == encoder.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    assert type(ids) is list
    assert {type(token) for token in [*ids, *encode(CHAT, encoder).row.input_ids]} == {int}


# The answer follows its question at once, so a merge may join their last and first letters.
SEAM = (
    "{{ bos_token }}{% for m in messages %}{{ m.content }}"
    "{% if m.role == 'assistant' %}<end>{% endif %}{% endfor %}"
)


def letters(*merges: tuple[str, str]) -> Any:
    """A tokenizer of single letters and the given merges, with no splitting into words."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    texts = [*"sayflowrte ", *("".join(pair) for pair in merges)]
    vocabulary = {text: n for n, text in enumerate(["<s>", "</s>", "<end>", *texts])}
    raw = Tokenizer(models.BPE(vocabulary, list(merges)))
    raw.add_special_tokens(["<s>", "</s>", "<end>"])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")


def seam_encoder(*merges: tuple[str, str]) -> Encoder:
    return encoder_of(letters(*merges), SEAM)


def test_token_merged_over_the_seam_counts_as_answer():  # C06
    encoder = seam_encoder(("o", "w"), ("l", "ow"))

    encoded = encode(example("say fl", "ow rate"), encoder)

    pieces = encoder.tokenizer.convert_ids_to_tokens(supervised_ids(encoded))
    assert pieces == ["low", " ", "r", "a", "t", "e", "<end>"]
    assert encoded.pieces[0].straddling == 1
    assert check(encoded, encoder) == []


def test_same_row_without_the_merge_is_unchanged():  # C06
    encoder = seam_encoder(("o", "w"))

    encoded = encode(example("say fl", "ow rate"), encoder)

    pieces = encoder.tokenizer.convert_ids_to_tokens(supervised_ids(encoded))
    assert pieces == ["ow", " ", "r", "a", "t", "e", "<end>"]
    assert encoded.pieces[0].straddling == 0


def test_encoder_of_a_folder_has_its_tokenizer_and_its_familys_template(tiny_gemma3, tmp_path):
    base = locate(str(tiny_gemma3), tmp_path)

    encoder = open_encoder(base, "你是店員。")

    assert encoder.template == tiny_encoder("gemma3").template
    assert (encoder.bos_token, encoder.eos_token) == ("<bos>", "<eos>")
    assert encoder.bos_id == encoder.special["<bos>"]
    assert encoder.system == "你是店員。"


def test_role_token_that_takes_white_space_of_the_answer_stays_the_prompts():
    tokenizer = tiny_encoder("gemma3").tokenizer
    role = AddedToken("<|assistant|>", rstrip=True, special=True, normalized=False)
    tokenizer.add_special_tokens({"additional_special_tokens": [role]})
    encoder = encoder_of(
        tokenizer,
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}"
        "{% else %}<|assistant|>{{ m.content }}<eos>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    )

    encoded = encode(example("寫一行", "  縮排"), encoder)

    learned = [label for label in encoded.row.labels if label != IGNORED]
    assert tokenizer.decode(learned) == "縮排<eos>"
    assert encoded.pieces[0].straddling == 0
    assert check(encoded, encoder) == []
