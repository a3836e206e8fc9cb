"""What is too long is left out, cut in the prompt or split, and always counted."""

from dataclasses import replace
from typing import Any

import pytest

from foundry.core.errors import DataError
from foundry.core.records import EncodedRow, Example, ToolCall, Turn
from foundry.encode import overlong, rows, shorten, windows
from foundry.encode.mask_report import MaskReport
from foundry.encode.rows import encode
from foundry.encode.tokenize import IGNORED, Encoder, encoder_of
from tests.cases import case, change
from tests.encoders import encode_all, example, tiny_encoder
from tests.templates import stock_template

ENCODER = tiny_encoder("gemma3")
CONTROL = set(ENCODER.special.values())
LIMIT = 48
SHORT = example("多少錢？", "三百元。")
QUESTIONS = [text for n in range(8) for text in (f"第{n}個問題是什麼？", f"答{n}。")]
CHAT = example(*QUESTIONS, line=3, system="你是店員。")


def said(row: EncodedRow, encoder: Encoder = ENCODER) -> str:
    return str(encoder.tokenizer.decode(row.input_ids))


def trained(row: EncodedRow) -> str:
    return str(ENCODER.tokenizer.decode([label for label in row.labels if label != IGNORED]))


def plain(text: str, line: int = 1) -> Example:
    return Example(f"text-{line}", (), "rows.txt", line, "g", text=text)


def of_tokens(count: int) -> str:
    """A question that makes a row of exactly `count` tokens with the answer of `SHORT`."""
    around = len(encode(example("", "三百元。"), ENCODER).row.input_ids)
    text = "7 " * (count - around)
    row = encode(example(text, "三百元。"), ENCODER).row
    return text[: len(text) - (len(row.input_ids) - count)]


def over(report: MaskReport) -> dict[str, int]:
    found = report.as_dict()["over_limit"]
    return {key: n for key, n in found.items() if n and key not in ("limit", "policy")}


pieces = Encoder.pieces


def cut_at_the_limit(self: Encoder, masked: Any) -> Any:
    return [replace(p, ids=p.ids[:32], labels=p.labels[:32]) for p in pieces(self, masked)]


@case(
    "C11",
    {
        "the answer is cut away": change(Encoder, "pieces", cut_at_the_limit),
        "rows over the limit are kept": change(
            rows.Encoded, "longest", property(lambda self: min(32, len(self.pieces[0].ids)))
        ),
    },
)
def test_row_whose_prompt_fills_the_limit_is_left_out_and_named():
    too_long, good = example(of_tokens(40), "三百元。", line=1), SHORT
    assert len(encode(too_long, ENCODER).row.input_ids) == 40

    made, report = encode_all([too_long, good], ENCODER, max_seq_len=32)

    assert made == [encode(good, ENCODER).row]
    (dropped,) = report.as_dict()["dropped_rows"]
    assert (dropped["line"], dropped["reason"]) == (1, "40 tokens, the limit is 32")
    assert over(report) == {"examples": 1, "dropped": 1, "tokens_lost": 40}
    with pytest.raises(DataError, match=r"no row is left to train on \(1 over the length limit\)"):
        encode_all([too_long], ENCODER, max_seq_len=32)
    (cut,), report = encode_all([too_long], ENCODER, max_seq_len=32, overlong="cut-prompt-left")
    assert len(cut.input_ids) == 32
    assert trained(cut) == "三百元。<end_of_turn>"
    assert over(report) == {"examples": 1, "cut": 1, "tokens_lost": 8}


def test_cut_question_keeps_its_end_the_system_turn_and_the_whole_answer():
    row = example("開頭" + "長" * 200 + "結尾？", "三百元。", system="你是店員。")

    (cut,), _report = encode_all([row], ENCODER, max_seq_len=LIMIT, overlong="cut-prompt-left")

    text = said(cut)
    assert text.startswith("<bos><start_of_turn>user\n你是店員。\n\n")
    assert "結尾？<end_of_turn>" in text
    assert "開頭" not in text
    assert LIMIT - 3 <= len(cut.input_ids) <= LIMIT
    assert trained(cut) == "三百元。<end_of_turn>"


@pytest.mark.parametrize("system", ["own", "recipe"])
def test_system_turn_beside_which_no_answer_fits_is_left_out(system: str):
    words = "規則" * 60
    row = example("很長" * 40 + "？", "三百元。", system=words if system == "own" else None)
    encoder = replace(ENCODER, system=words if system == "recipe" else None)

    (cut,), _report = encode_all([row], encoder, max_seq_len=LIMIT, overlong="cut-prompt-left")

    assert "規則" not in said(cut)
    assert trained(cut) == "三百元。<end_of_turn>"


def test_answer_that_does_not_fit_is_never_cut():
    row = example("多少錢？", "很" * 200)

    made, report = encode_all([row, SHORT], ENCODER, overlong="cut-prompt-left")

    assert len(made) == 1
    assert over(report)["dropped"] == 1


def test_cut_conversation_loses_its_oldest_exchanges_first():
    (cut,), report = encode_all([CHAT], ENCODER, max_seq_len=96, overlong="cut-prompt-left")

    text = said(cut)
    assert text.startswith("<bos><start_of_turn>user\n你是店員。\n\n第")
    assert trained(cut).endswith("答6。<end_of_turn>答7。<end_of_turn>")
    assert "第0個" not in text
    assert 64 < len(cut.input_ids) <= 96
    assert over(report)["cut"] == 1


def test_split_conversation_trains_each_answer_once_under_its_system_turn():
    made, report = encode_all([CHAT], ENCODER, max_seq_len=64, overlong="split")

    assert len(made) > 1
    assert all(len(row.input_ids) <= 64 for row in made)
    assert all(said(row).count("你是店員。") == 1 for row in made)
    assert "".join(map(trained, made)) == "".join(f"答{n}。<end_of_turn>" for n in range(8))
    assert len({row.id for row in made}) == len(made)
    assert over(report) == {"examples": 1, "split": 1, "split_into": len(made)}


def test_exchange_too_long_by_itself_is_left_out_of_a_split_conversation():
    turns = (*QUESTIONS[:2], "長" * 100, "好。", *QUESTIONS[2:])

    made, report = encode_all([example(*turns)], ENCODER, max_seq_len=64, overlong="split")

    assert "".join(map(trained, made)) == "".join(f"答{n}。<end_of_turn>" for n in range(8))
    assert over(report)["dropped"] == 1
    assert over(report)["tokens_lost"] > 100


def test_exchange_left_out_of_a_split_conversation_is_told_with_its_own_length():
    turns = (*QUESTIONS[:4], "長" * 50, "好。")
    alone = len(encode(example(*turns[4:]), ENCODER).row.input_ids)

    _made, report = encode_all([example(*turns)], ENCODER, max_seq_len=alone - 1, overlong="split")

    (dropped,) = report.as_dict()["dropped_rows"]
    assert dropped["reason"] == f"{alone} tokens, the limit is {alone - 1}"
    assert over(report)["tokens_lost"] == alone


def test_exchange_that_the_template_refuses_is_not_told_as_too_long():
    refusing = "{% if messages[0].content == '丙？' %}{{ raise_exception('no 丙') }}{% endif %}"
    encoder = encoder_of(ENCODER.tokenizer, refusing + ENCODER.template)
    row = example("甲？", "乙。", "丙？", "丁。", line=5)
    limit = len(encode(row, encoder).row.input_ids) - 1

    made, report = encode_all([row], encoder, max_seq_len=limit, overlong="split", max_refused=1.0)

    assert "".join(map(trained, made)) == "乙。<end_of_turn>"
    (dropped,) = report.as_dict()["dropped_rows"]
    assert (dropped["line"], dropped["code"]) == (5, "template-refused")
    assert "no 丙" in dropped["reason"]
    assert "dropped" not in over(report)


def test_text_that_is_not_tokenised_is_told_with_its_characters(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shorten, "CHARS_PER_TOKEN", 1)

    _made, report = encode_all([example("長" * 98, "好"), SHORT], ENCODER, max_seq_len=64)

    (dropped,) = report.as_dict()["dropped_rows"]
    assert dropped["reason"].startswith("99 characters; beyond 64,")


def test_tool_results_stay_with_the_question_they_answer():
    call = Turn("assistant", "", tool_calls=(ToolCall("lookup", {"city": "臺北"}),))
    turns = [
        turn
        for n in range(4)
        for turn in (
            Turn("user", f"第{n}天？"),
            call,
            Turn("tool", "晴", name="lookup"),
            Turn("assistant", f"晴{n}。"),
        )
    ]
    tokenizer = tiny_encoder("llama").tokenizer
    encoder = encoder_of(tokenizer, stock_template("qwen2_5").replace("<|im_end|>", "<|eot_id|>"))
    whole = len(encode(replace(SHORT, messages=tuple(turns)), encoder).row.input_ids)

    made, _report = encode_all(
        [replace(SHORT, messages=tuple(turns))], encoder, max_seq_len=whole - 40, overlong="split"
    )

    texts = [said(row, encoder) for row in made]
    assert len(texts) > 1
    assert all(text.count("<tool_response>") == text.count("\n<tool_call>\n{") for text in texts)


def test_long_text_becomes_windows_with_one_bos_each_and_one_end():
    text = "電風扇保固一年，售價三百元。" * 20
    whole = encode(plain(text), ENCODER).row

    made, report = encode_all([plain(text)], ENCODER, max_seq_len=LIMIT, overlong="split")

    ids = [token for row in made for token in row.input_ids[1:]]
    assert ids == list(whole.input_ids[1:])
    assert all(row.input_ids[0] == ENCODER.bos_id for row in made)
    assert all(row.labels == (IGNORED, *row.input_ids[1:]) for row in made)
    assert [row.input_ids[-1] == ENCODER.special["<eos>"] for row in made] == [
        *[False] * (len(made) - 1),
        True,
    ]
    assert over(report) == {"examples": 1, "split": 1, "split_into": len(made)}


@pytest.mark.parametrize("policy", ["drop", "cut-prompt-left"])
def test_long_text_is_left_out_where_it_is_not_split(policy: str):
    made, report = encode_all([plain("長" * 99), plain("短", 2)], ENCODER, overlong=policy)

    assert [row.id for row in made] == ["text-2"]
    assert over(report)["dropped"] == 1


def test_window_never_tears_a_character():
    tokenizer = tiny_encoder("llama").tokenizer
    encoder = encoder_of(tokenizer, stock_template("llama3"))
    text = "龘靐齉👍🏽" * 12

    made, _report = encode_all([plain(text)], encoder, max_seq_len=16, overlong="split")

    assert "".join(tokenizer.decode(row.input_ids[1:]) for row in made) == (
        text + encoder.eos_token
    )
    assert all("\ufffd" not in tokenizer.decode(row.input_ids) for row in made)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_no_window_is_a_scrap_though_others_end_early_for_a_character(family: str):
    encoder = encoder_of(tiny_encoder(family).tokenizer, stock_template("gemma3"))
    limit = 32

    for count in range(40, 90):
        text = "龘靐齉𪚥" * count
        made, _report = encode_all([plain(text)], encoder, max_seq_len=limit, overlong="split")
        assert min(len(row.input_ids) for row in made) > limit // 3, count


def test_long_pair_is_cut_to_one_prompt_or_left_out():
    row = replace(example("長" * 100 + "？", "三百元。"), rejected=Turn("assistant", "不知道。"))

    (cut,), _report = encode_all([row], ENCODER, overlong="cut-prompt-left")

    seam = next(n for n, label in enumerate(cut.labels) if label != IGNORED)
    assert cut.input_ids[:seam] == cut.rejected_input_ids[:seam]
    assert max(len(cut.input_ids), len(cut.rejected_input_ids)) <= 64
    with pytest.raises(DataError, match="no row is left"):
        encode_all([row], ENCODER, overlong="split")


def test_rows_of_a_rewriting_template_that_fit_are_kept():
    encoder = encoder_of(
        tiny_encoder("llama").tokenizer,
        stock_template("qwen3").replace("<|im_end|>", "<|eot_id|>"),
    )
    row = example("一？", "甲。", "二？", "乙。")
    lengths = [len(made.input_ids) for made in encode(row, encoder).rows]

    made, report = encode_all([row], encoder, max_seq_len=lengths[0])

    assert [len(one.input_ids) for one in made] == lengths[:1]
    assert over(report) == {"examples": 1, "dropped": 1, "tokens_lost": lengths[1]}


class Counted:
    """A tokenizer that counts the characters it is given, and the longest text."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.chars, self.longest = tokenizer, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def _count(self, text: str) -> None:
        self.chars += len(text)
        self.longest = max(self.longest, len(text))

    def encode(self, text: str, **options: Any) -> Any:
        self._count(text)
        return self.tokenizer.encode(text, **options)

    def encode_batch(self, texts: list[str], **options: Any) -> Any:
        for text in texts:
            self._count(text)
        return self.tokenizer.encode_batch(texts, **options)


WORD = "電風扇保固一年" * 4  # a token of 84 bytes, of which a cell of 5 MB holds 60,000
MOST_CHARS = windows.SLICE_CHARS


@pytest.fixture
def counted() -> Encoder:
    """An encoder whose tokenizer counts, and knows `WORD`."""
    tokenizer = tiny_encoder("gemma3").tokenizer
    tokenizer.add_tokens([WORD])
    encoder = encoder_of(tokenizer, stock_template("gemma3"))
    encoder.__dict__["backend"] = Counted(encoder.backend)
    return encoder


@case(
    "C61",
    {
        "the limit is ignored": change(overlong.Encoded, "longest", property(lambda _one: 0)),
        "a long cell is counted whole": change(windows, "SLICE_CHARS", 1 << 30),
        "a long cell is tokenised with the rest": change(shorten, "CHARS_PER_TOKEN", 1 << 30),
    },
)
def test_lengths_after_preparation_are_within_the_limit(counted: Encoder):
    assert_lengths(counted, "drop", [1500])


def test_lengths_after_a_cut_are_those_of_the_limit(counted: Encoder):  # C61
    assert_lengths(counted, "cut-prompt-left", [1500, 2048, 2048])


def assert_lengths(counted: Encoder, policy: str, wanted: list[int]) -> None:
    questions = [of_tokens(1500), of_tokens(2100), WORD * 60_000]
    given = [example(text, "三百元。", line=line) for line, text in enumerate(questions, start=1)]

    made, report = encode_all(given, counted, max_seq_len=2048, overlong=policy)

    assert [len(row.input_ids) for row in made] == wanted
    assert counted.backend.longest <= MOST_CHARS
    assert len(questions[2]) <= counted.backend.chars <= 1.15 * len(questions[2])
    found = report.as_dict()["over_limit"]
    assert found["examples"] == 2
    assert 57_000 < found["tokens_lost"] < 64_000


def test_long_cell_is_split_slice_by_slice(monkeypatch: pytest.MonkeyPatch):  # C61
    text = "".join(f"第{n}行，電風扇。\n" for n in range(2000))
    monkeypatch.setattr(shorten, "CHARS_PER_TOKEN", 8)
    monkeypatch.setattr(windows, "SLICE_CHARS", 1000)

    made, _report = encode_all([plain(text)], ENCODER, max_seq_len=64, overlong="split")

    words = "".join(ENCODER.tokenizer.decode(row.input_ids[1:]) for row in made)
    assert words == text + "<eos>"
    assert sum(row.input_ids.count(ENCODER.special["<eos>"]) for row in made) == 1
    assert all(len(row.input_ids) <= 64 for row in made)
