"""The faults of `cases.md` §2.1 that the encoding must not have, each on the case's own input."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import DataError
from foundry.core.recipe import Encode
from foundry.core.records import EncodedRow, Example, Turn
from foundry.encode import mask, rows, shards, tokenize
from foundry.encode.mask_report import MaskReport
from foundry.encode.rows import encode
from foundry.encode.shards import read_shards, write_shards
from foundry.encode.tokenize import IGNORED, Encoder, encoder_of
from foundry.train.batches import collate
from tests.cases import case, change
from tests.encoders import (
    NO_BOS,
    check,
    conversation,
    encode_all,
    example,
    lines_of,
    tiny_encoder,
)
from tests.templates import stock_template

GEMMA = tiny_encoder("gemma3")
END = GEMMA.special["<end_of_turn>"]


def supervised(row: EncodedRow) -> list[int]:
    return [label for label in row.labels if label != IGNORED]


flat = collate.flat


def masked_by_id(batch: Any, **named: Any) -> dict[str, Any]:
    made = flat(batch, **named)
    made["labels"][made["labels"] == END] = IGNORED
    return made


@case("C01", {"the pad id is masked wherever it stands": change(collate, "flat", masked_by_id)})
def test_end_of_each_answer_keeps_its_label_though_it_is_the_pad_token():
    tokenizer = tiny_encoder("gemma3").tokenizer
    tokenizer.pad_token = "<end_of_turn>"
    encoder = encoder_of(tokenizer, stock_template("gemma3"))
    given = [example("要帶什麼？", "好"), example("可以嗎？", "可以，請攜帶證件。", line=3)]

    made, _report = encode_all(given, encoder)
    batch = collate.flat([{"id": r.id, "input_ids": r.input_ids, "labels": r.labels} for r in made])

    labels, ids = batch["labels"][0].tolist(), batch["input_ids"][0].tolist()
    assert labels.count(END) == 2
    assert ids.count(END) == 4  # those of the questions are not learned, and there is no padding
    assert len(ids) == sum(len(row.input_ids) for row in made)


ENDS_ONLY_BEFORE_A_QUESTION = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' and not loop.first %}<end_of_turn>{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def the_text_ends_it(
    turn: Turn, until: str, start: int, control: frozenset[str], tail: str
) -> tuple[str, int]:
    return "<end_of_turn>", len(until)


def without_an_end(text: str, encoder: Encoder) -> mask.Masked:
    return mask.Masked(text, (mask.Span(0, len(text), encoder.eos_token),))


@case(
    "C02",
    {
        "a turn without an end passes": change(mask, "_terminator", the_text_ends_it),
        "a text gets no end": change(rows, "text_of", without_an_end),
    },
)
def test_every_answer_and_text_ends_with_a_stop_id_once_or_is_refused():
    instruction = example("寫一句話。", "你好。")
    texts = [Example(t, (), "t.txt", 1, "g", text=t) for t in ("你好。", "你好。<eos>")]

    (row,), _report = encode_all([instruction], GEMMA)
    plain, report = encode_all(texts, GEMMA)

    assert supervised(row)[-1] == END
    assert report.as_dict()["stop_texts"] == {str(GEMMA.special["<eos>"]): "<eos>"}
    assert plain[0].input_ids == plain[1].input_ids
    assert supervised(plain[0])[-2:] != [GEMMA.special["<eos>"]] * 2
    with pytest.raises(DataError, match="ends no assistant turn with a control token") as error:
        encode_all([instruction], encoder_of(GEMMA.tokenizer, ENDS_ONLY_BEFORE_A_QUESTION))
    assert "[user]寫一句話。[assistant]你好。" in error.value.problems[0].what


def question(tokens: int) -> str:
    """A question whose prompt has so many tokens; a figure is one."""
    return "7" * (tokens - len(GEMMA.prompt_ids(conversation(""))))


def six_rows() -> list[Example]:
    """Prompts of 18 tokens and answers of 5 and the terminator."""
    answers = ["75757", "57575", "77777", "55555", "57777", "75555"]
    assert len(GEMMA.prompt_ids(conversation(question(18)))) == 18
    return [example(question(18), answer, line=n) for n, answer in enumerate(answers, start=1)]


def everything(ids: Any, tokens: Any, masked: Any, control: Any = ()) -> list[int]:
    return list(ids)


def without_labels(path: Path) -> list[EncodedRow]:
    return [replace(row, labels=row.input_ids) for row in read_shards(path)]


@case(
    "C03",
    {
        "the loss runs over the prompt": change(tokenize, "supervise", everything),
        "the saved rows have lost their labels": change(shards, "read_shards", without_labels),
    },
)
def test_six_rows_train_the_same_36_tokens_live_and_from_their_shard(tmp_path: Path):
    given = six_rows()

    live, report = encode_all(given, GEMMA)
    saved = write_shards(
        lines_of(given), Encode(max_seq_len=64), MaskReport(GEMMA), key_parts={}, folder=tmp_path
    )

    read = shards.read_shards(tmp_path / saved.file)
    assert read == live
    assert sum(len(supervised(row)) for row in read) == 36
    assert report.as_dict()["supervised_tokens"] == saved.supervised_tokens == 36


MARKED = {
    "a marker with a space": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}\n"
        "{% else %}Answer: {{ m.content }}<eos>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}Answer: {% endif %}"
    ),
    "a marker of one token": (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}"
        "[/INST]{% else %}{{ m.content }}<eos>{% endif %}{% endfor %}"
    ),
}
first_token = tokenize.first_token


def found_by_its_ids(tokens: Any, span: mask.Span) -> int | None:
    """The first token after the ids that the marker has by itself."""
    marker = GEMMA.backend.encode("Answer: ", add_special_tokens=False).ids
    at = (n for n in range(len(tokens.ids)) if tokens.ids[n : n + len(marker)] == marker)
    return next((n + len(marker) for n in at), None)


@case(
    "C05",
    {
        "the marker is searched among the ids": change(tokenize, "first_token", found_by_its_ids),
        "the answer begins a token late": change(
            tokenize, "first_token", lambda tokens, span: (first_token(tokens, span) or 0) + 1
        ),
    },
)
@pytest.mark.parametrize("template", MARKED.values(), ids=MARKED)
def test_answer_after_a_marker_is_supervised_exactly(template: str):
    tokenizer = tiny_encoder("gemma3").tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["[INST]", "[/INST]"]})
    encoder = encoder_of(tokenizer, template)
    row = example("Answer: yes or no?", "yes")

    encoded = encode(row, encoder)

    assert tokenizer.decode(supervised(encoded.row)) == "yes<eos>"
    assert check(encoded, encoder) == []


def as_a_mapping(self: Encoder, turns: Any, _tools: Any = ()) -> Any:
    messages = [turn.as_dict() for turn in turns]
    return self.tokenizer.apply_chat_template(
        messages, chat_template=self.template, add_generation_prompt=True, tokenize=True
    )


@case(
    "C08",
    {"the template call's mapping is taken for ids": change(Encoder, "prompt_ids", as_a_mapping)},
)
def test_prompt_of_20_tokens_is_20_tokens_long():
    asked = conversation(question(20))

    prompt = GEMMA.prompt_ids(asked)

    assert len(prompt) == 20
    assert {type(token) for token in prompt} == {int}
    row = encode(example(asked[0].content, "好"), GEMMA).row
    assert list(row.input_ids[:20]) == prompt
    assert row.labels[:20] == (IGNORED,) * 20


@case(
    "C09",
    {
        "a BOS before every row": change(
            Encoder, "once_bos", lambda self, ids: [self.bos_id, *ids]
        ),
        "only what the template writes": change(Encoder, "once_bos", lambda self, ids: list(ids)),
    },
)
def test_every_row_has_one_bos_whoever_writes_it():
    for template in (None, NO_BOS):
        encoder = tiny_encoder("llama", template=template)
        assert encoder.tokenizer("a")["input_ids"][0] == encoder.bos_id  # it adds one by itself
        chat, text = example("一？", "甲。"), Example("t", (), "t.txt", 1, "g", text="你好。")
        pair = replace(example("一？", "甲。", line=3), rejected=Turn("assistant", "乙。"))

        made, report = encode_all([chat, pair], encoder)
        plain, _report = encode_all([text], encoder)

        heads = [row.input_ids for row in (*made, *plain)]
        heads += [made[1].rejected_input_ids, tuple(encoder.prompt_ids(chat.prompt))]
        assert all(ids[0] == encoder.bos_id and ids[1] != encoder.bos_id for ids in heads)
        assert report.as_dict()["bos_per_row"] == 1
