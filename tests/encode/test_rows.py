"""What of an example is trained, by its dataset type."""

from dataclasses import replace
from typing import Any

import pytest

from foundry.core.errors import DataError
from foundry.core.records import Example, Refusal, ToolCall, Turn
from foundry.encode import rows
from foundry.encode.rows import Encoded, encode, encode_many
from foundry.encode.tokenize import IGNORED, Encoder, encoder_of
from tests.cases import case, change
from tests.encode.test_mask import NO_LAST_END
from tests.encode.test_tokenize import seam_encoder
from tests.encoders import check, conversation, encode_all, example, tiny_encoder
from tests.templates import stock_template

ENCODER = tiny_encoder("gemma3")
END = ENCODER.special["<end_of_turn>"]
EOS = ENCODER.special["<eos>"]
BOS = ENCODER.special["<bos>"]


def trained(labels: tuple[int, ...], encoder: Encoder = ENCODER) -> str:
    return str(encoder.tokenizer.decode([label for label in labels if label != IGNORED]))


def text_of(text: str) -> Example:
    return Example("text", (), "rows.txt", 1, "g", text=text)


def pair(chosen: str, rejected: str, line: int = 2) -> Example:
    turns = conversation("電風扇多少錢？", chosen)
    return replace(example("", "", line=line), messages=turns, rejected=Turn("assistant", rejected))


def test_text_is_supervised_whole_and_ends_once():  # C02
    row = encode(text_of("電風扇售價三百元。"), ENCODER).row

    assert row.input_ids[0] == BOS
    assert row.labels[0] == IGNORED
    assert row.labels[1:] == row.input_ids[1:]
    assert list(row.input_ids).count(EOS) == 1
    assert row.labels[-1] == EOS


@pytest.mark.parametrize("text", ["好。<eos>", "<bos>好。", "<bos>好。<eos>"])
def test_text_that_brings_its_own_ends_gets_no_second_ones(text: str):  # C02, C09
    assert encode(text_of(text), ENCODER).row == encode(text_of("好。"), ENCODER).row


def test_word_of_a_call_is_not_taken_for_its_end():  # C02
    tokenizer = tiny_encoder("gemma3").tokenizer
    tokenizer.add_tokens(["</tool_call>"])
    encoder = encoder_of(tokenizer, NO_LAST_END.replace("<end>", "<end_of_turn>"))
    call = Turn("assistant", "", tool_calls=(ToolCall("lookup", {"city": "臺北"}),))
    turns = (Turn("user", "天氣？"), call)
    assert encoder.render(turns).endswith("</tool_call>")

    with pytest.raises(DataError, match="ends no assistant turn"):
        encode(replace(example("", ""), messages=turns), encoder)


def test_text_has_no_fault():
    assert check(encode(text_of("電風扇售價三百元。"), ENCODER), ENCODER) == []


def test_tokenizer_without_an_end_trains_no_texts():  # C02
    tokenizer = tiny_encoder("gemma3").tokenizer
    tokenizer.eos_token = None

    with pytest.raises(DataError, match="the tokenizer has no EOS"):
        encode(text_of("好。"), encoder_of(tokenizer, ENCODER.template))


def test_split_conversation_supervises_each_answer_in_one_row():
    encoder = encoder_of(tiny_encoder("llama").tokenizer, stock_template("llama3"))
    thinking = conversation("一？", "甲。", "二？", "乙。")
    template = "{% if messages|length > 2 %}{{ bos_token }}{% endif %}" + encoder.template
    encoder = encoder_of(encoder.tokenizer, template)

    encoded = encode(replace(example("", ""), messages=thinking), encoder)

    assert [row.id for row in encoded.rows] == ["row-2/1", "row-2/2"]
    assert [trained(row.labels, encoder) for row in encoded.rows] == [
        "甲。<|eot_id|>",
        "乙。<|eot_id|>",
    ]


def test_sides_of_a_preference_have_the_same_prompt_ids():  # C25
    encoded = encode(pair("三百元。", "不知道，請自己查。"), ENCODER)

    row = encoded.row
    prompt = ENCODER.prompt_ids(encoded.example.prompt)
    for ids, labels in (
        (row.input_ids, row.labels),
        (row.rejected_input_ids, row.rejected_labels),
    ):
        assert list(ids[: len(prompt)]) == prompt
        assert labels[: len(prompt)] == (IGNORED,) * len(prompt)
    assert trained(row.labels) == "三百元。<end_of_turn>"
    assert trained(row.rejected_labels) == "不知道，請自己查。<end_of_turn>"
    assert check(encoded, ENCODER) == []


@case(
    "C06", {"the seam of each side is its own": change(rows, "_supervised_from", lambda x, _at: x)}
)
def test_token_merged_into_one_side_begins_the_answer_of_both():  # and C25
    encoder = seam_encoder(("o", "w"), ("l", "ow"))
    turns = conversation("say fl", "ow rate")
    row = replace(example("", ""), messages=turns, rejected=Turn("assistant", "say"))

    encoded = encode(row, encoder)

    made = encoded.row
    seam = next(n for n, label in enumerate(made.labels) if label != IGNORED)
    assert made.input_ids[:seam] == made.rejected_input_ids[:seam]
    assert encoder.tokenizer.convert_ids_to_tokens(made.input_ids[seam]) == "low"
    assert encoder.tokenizer.convert_ids_to_tokens(made.rejected_input_ids[seam]) == "l"
    assert made.rejected_labels[seam] == made.rejected_input_ids[seam]
    assert check(encoded, encoder) == []


masked_many = rows.mask_many


def answer_alone(talks: Any, template: Any, control: Any) -> Any:
    """The worse answer without the prompt before it."""
    return masked_many(
        [
            replace(talk, turns=talk.turns[-2:]) if "不知道" in talk.turns[-1].content else talk
            for talk in talks
        ],
        template,
        control,
    )


def cut_at_24(self: Encoder, masked: Any) -> Any:
    return [replace(p, ids=p.ids[:24], labels=p.labels[:24]) for p in pieces(self, masked)]


pieces = Encoder.pieces


@case(
    "C25",
    {
        "identical pairs are kept": change(rows, "_trained", lambda piece: object()),
        "an empty answer is kept": change(rows, "_says_something", lambda _turn: True),
        "a long pair is cut": change(Encoder, "pieces", cut_at_24),
        "one side has another prompt": change(rows, "mask_many", answer_alone),
    },
)
def test_good_pairs_have_one_prompt_and_the_others_are_refused_by_line():
    alike = "電風扇的價錢是三百元，保固一年，產地是台灣，"
    asked = conversation("你好", "您好，請說。", "電風扇多少錢？", "三百元。")
    implicit = replace(
        example("", "", line=6), messages=asked, rejected=Turn("assistant", "不知道。")
    )
    given = [
        pair("三百元。", "不知道。"),
        pair("三百元。", "三百元。", 3),
        pair(alike * 3 + "好。", alike * 3 + "壞。", 4),
        pair("", "不知道。", 5),
        implicit,
    ]

    made, report = encode_all(given, ENCODER, max_refused=1.0)

    assert [row.id for row in made] == ["row-2", "row-6"]
    left_out = {row["line"]: row["code"] for row in report.as_dict()["dropped_rows"]}
    assert left_out == {3: "same-answer", 4: "over-length", 5: "empty-answer"}
    for row in made:
        seam = next(n for n, label in enumerate(row.labels) if label != IGNORED)
        assert row.input_ids[:seam] == row.rejected_input_ids[:seam]
        assert row.rejected_labels[:seam] == (IGNORED,) * seam
        assert trained(row.labels) == "三百元。<end_of_turn>"
        assert trained(row.rejected_labels) == "不知道。<end_of_turn>"
    assert list(made[1].input_ids[: len(ENCODER.prompt_ids(asked[:3]))]) == ENCODER.prompt_ids(
        asked[:3]
    )


def test_unpaired_preference_keeps_its_label_and_supervises_the_last_answer():
    turns = conversation("顏色？", "白色。", "產地？", "台灣。")

    row = encode(replace(example("", ""), messages=turns, label=False), ENCODER).row

    assert row.label is False
    assert trained(row.labels) == "台灣。<end_of_turn>"


def test_refused_row_leaves_the_others_in_their_places():
    turns = conversation("甲", "乙")
    bad = replace(example("", ""), messages=(turns[0], *turns))
    good = [example("一？", "甲。", line=n) for n in (3, 4)]

    made = encode_many([good[0], bad, text_of("好。"), good[1]], ENCODER)

    assert isinstance(made[1], Refusal)
    kept = [one.row.id for one in made if isinstance(one, Encoded)]
    assert kept == ["row-3", "text", "row-4"]
