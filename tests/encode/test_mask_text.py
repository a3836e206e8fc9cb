"""The mask report as text: what a person reads in the terminal."""

from dataclasses import replace

from foundry.encode.mask_text import as_text
from foundry.encode.samples import as_marked
from foundry.encode.tokenize import encoder_of
from tests.encoders import conversation, encode_all, example, tiny_encoder
from tests.templates import stock_template

ENCODER = tiny_encoder("gemma3")
END = ENCODER.special["<end_of_turn>"]
SHORT = example("多少錢？", "三百元。")
CHAT = example("顏色？", "白色。", "產地？", "台灣。", line=3)
LONG = example("請問" * 40, "好", line=4)
SOURCE = {"path": "rows.csv", "rows": 5, "used": 3, "refused": {"empty-answer": 2}, "blank": 1}
MANIFEST = {"sources": [SOURCE], "turns": {"in": 9, "out": 8, "joined-user": 1}}


def test_every_count_has_a_line_of_its_own():
    found = encode_all([SHORT, CHAT, LONG], replace(ENCODER, system="你是店員。"))[1].as_dict()

    lines = as_text(found, MANIFEST).splitlines()

    tokens, supervised = found["tokens"], found["supervised_tokens"]
    assert lines[:4] == [
        "rows.csv: 5 rows, 3 used, 2 refused, 1 blank",
        "  empty-answer x2",
        "turns: in x9, out x8, joined-user x1",
        "rows to train on: 2, made of 3 examples",
    ]
    assert lines[4] == "left out: over-length x1"
    assert lines[5].startswith(
        "over the limit of 64 tokens (drop): 1; left out 1, cut 0, split 0 into 0; tokens lost: "
    )
    assert lines[6].startswith(f"tokens: {tokens}; supervised: {supervised} (")
    assert lines[6].endswith(f"longest row: {found['longest']}")
    assert lines[7] == f"assistant turns: 3; supervised stop ids: <end_of_turn> ({END}) x3"
    assert lines[8].endswith("rows with a token merged over the seam: 0")
    assert lines[9].startswith(f"template {found['template']['sha256']}; system turns: own; ")
    assert lines[9].endswith("date: –; system text: 你是店員。")
    assert lines[11] == "  " + as_marked(found["samples"][0]).replace("\n", "⏎")


def test_what_the_template_does_of_its_own_is_told():
    tokenizer = tiny_encoder("llama").tokenizer
    template = stock_template("qwen3").replace("<|im_end|>", "<|eot_id|>")
    turns = conversation("一？", "甲。", "二？", "乙。")
    thinking = replace(turns[1], reasoning="想一下")
    row = replace(SHORT, messages=(turns[0], thinking, *turns[2:]))

    found = encode_all([row], encoder_of(tokenizer, template), max_seq_len=512)[1].as_dict()

    text = as_text(found, MANIFEST)
    assert "1 conversations became 2 rows, as the template rewrites turns" in text
    assert "the template leaves out: earlier-reasoning x1" in text
    assert "the template puts before answers: <think>⏎…⏎</think> x1, <think>⏎⏎</think> x1" in text
