"""The mask report: its numbers are those of the rows, and what is wrong stops the run."""

from dataclasses import replace

import pytest

from foundry.core.errors import DataError
from foundry.core.records import Refusal
from foundry.encode.mask_report import NAMED, MaskReport
from foundry.encode.rows import encode
from foundry.encode.samples import as_marked
from foundry.encode.tokenize import IGNORED, encoder_of
from tests.encoders import NO_BOS, check, encode_all, example, tiny_encoder

SHORT = example("多少錢？", "三百元。", line=2)
CHAT = example("顏色？", "白色。", "產地？", "台灣。", line=3)
LONG = example("請問" * 40, "好", line=4)
ENCODER = tiny_encoder("gemma3")
END = ENCODER.special["<end_of_turn>"]


def test_counts_are_those_of_the_rows():
    rows, report = encode_all([SHORT, CHAT, LONG], ENCODER)

    found = report.as_dict()

    ids = [row.input_ids for row in rows]
    labels = [label for row in rows for label in row.labels if label != IGNORED]
    assert (found["examples"], found["rows"]) == (3, 2)
    assert found["tokens"] == sum(len(row) for row in ids)
    assert found["supervised_tokens"] == len(labels)
    assert found["supervised_share"] == round(len(labels) / found["tokens"], 4)
    assert found["assistant_turns"] == 3
    assert found["stops_supervised"] == {str(END): 3}
    assert found["stop_texts"] == {str(END): "<end_of_turn>"}
    assert found["bos_per_row"] == 1
    assert sum(found["length_histogram"].values()) == 2
    assert report.longest == max(len(row) for row in ids)


def test_supervised_tokens_of_answers_of_known_length():  # C03
    answers = ["ab", "cd", "ef"]
    rows = [example("a question of many words", a, line=n) for n, a in enumerate(answers)]
    each = len(ENCODER.tokenizer("ab", add_special_tokens=False)["input_ids"]) + 1

    assert encode_all(rows, ENCODER)[1].as_dict()["supervised_tokens"] == 3 * each


def test_sample_shows_what_is_supervised_between_brackets():
    (sample,) = encode_all([CHAT], ENCODER)[1].as_dict()["samples"]

    assert (sample["source"], sample["line"]) == ("rows.csv", 3)
    assert as_marked(sample) == (
        "<bos><start_of_turn>user\n顏色？<end_of_turn>\n"
        "<start_of_turn>model\n⟦白色。<end_of_turn>⟧\n"
        "<start_of_turn>user\n產地？<end_of_turn>\n"
        "<start_of_turn>model\n⟦台灣。<end_of_turn>⟧\n"
    )


def test_row_over_the_limit_is_left_out_and_named():  # C11
    rows, report = encode_all([LONG, SHORT], ENCODER)

    assert [row.id for row in rows] == [SHORT.id]
    assert report.as_dict()["dropped"] == {"over-length": 1}
    (dropped,) = report.as_dict()["dropped_rows"]
    assert (dropped["source"], dropped["line"], dropped["code"]) == ("rows.csv", 4, "over-length")
    assert dropped["reason"].endswith("tokens, the limit is 64")


def test_row_of_exactly_the_limit_is_kept():  # C61
    length = len(encode(SHORT, ENCODER).row.input_ids)

    assert len(encode_all([SHORT], ENCODER, max_seq_len=length)[0]) == 1
    with pytest.raises(DataError):
        encode_all([SHORT], ENCODER, max_seq_len=length - 1)


def test_nothing_left_is_refused_before_any_weights_are_read():  # C11
    with pytest.raises(DataError, match=r"no row is left to train on \(2 over the length limit\)"):
        encode_all([LONG, LONG], ENCODER)


def test_nothing_left_of_refused_rows_is_not_told_as_too_long():
    same = replace(SHORT, rejected=SHORT.messages[-1])

    with pytest.raises(DataError) as error:
        encode_all([same, LONG], ENCODER, max_refused=1.0)

    head, *rows = error.value.problems
    assert head.where == "encode"
    assert head.what == "no row is left to train on (1 refused, 1 over the length limit)"
    assert head.fix == "correct the rows listed here"
    assert [(row.where, row.what) for row in rows] == [
        ("rows.csv:2", "both answers have the same tokens")
    ]


@pytest.mark.parametrize("max_refused", [0.0, 1.0])
def test_template_is_named_only_if_it_refused_every_row(max_refused: float):
    odd = replace(SHORT, messages=(SHORT.messages[0], *SHORT.messages))
    same = replace(SHORT, rejected=SHORT.messages[-1])

    found = []
    for rows in ([odd, odd], [odd, same], [odd, LONG]):
        with pytest.raises(DataError) as error:
            encode_all(rows, ENCODER, max_refused=max_refused)
        found.append(error.value.problems[0])

    assert [head.where for head in found] == ["chat_template", "encode", "encode"]
    assert "max_refused" not in "".join(head.fix or "" for head in found)


def test_overlong_rows_stop_a_run_that_asks_for_it():  # C61
    with pytest.raises(DataError, match=r"rows\.csv:4: .*the limit is 64"):
        encode_all([SHORT, LONG], ENCODER, overlong="fail")


def test_every_faulty_row_is_named():
    two = encoder_of(ENCODER.tokenizer, ENCODER.template.replace("{{ bos_token }}", "<bos><bos>"))

    with pytest.raises(DataError) as error:
        encode_all([SHORT, CHAT], two)

    assert [problem.where for problem in error.value.problems] == ["rows.csv:2", "rows.csv:3"]


def test_encoding_ends_when_enough_faults_are_known():
    two = encoder_of(ENCODER.tokenizer, ENCODER.template.replace("{{ bos_token }}", "<bos><bos>"))
    left = iter([replace(SHORT, line=line) for line in range(2000)])

    with pytest.raises(DataError) as error:
        encode_all(left, two)

    assert len(error.value.problems) >= NAMED
    assert next(left, None) is not None


def test_refused_rows_are_named_when_they_are_too_many():
    odd = example("甲", "乙", line=7)
    odd = replace(odd, messages=(odd.messages[0], *odd.messages))

    with pytest.raises(DataError, match=r"2 of 3 rows cannot be trained") as error:
        encode_all([SHORT, odd, replace(odd, line=8)], ENCODER, max_refused=0.5)

    assert [problem.where for problem in error.value.problems[1:]] == ["rows.csv:7", "rows.csv:8"]
    assert "must alternate" in error.value.problems[1].what


def test_as_many_refused_rows_as_the_recipe_allows_are_counted():
    odd = replace(SHORT, messages=(SHORT.messages[0], *SHORT.messages), line=7)

    rows, report = encode_all([SHORT, odd], ENCODER, max_refused=0.5)

    assert len(rows) == 1
    assert report.as_dict()["dropped"] == {"template-refused": 1}


def test_only_the_first_rows_of_a_reason_are_kept():
    report = MaskReport(ENCODER)
    for line in range(1000):
        report.drop(Refusal("rows.csv", line, "over-length", "too long"))

    assert report.dropped["over-length"] == 1000
    assert len(report.named) == NAMED


def test_bos_of_a_model_without_one_is_told_as_none():  # C09
    tokenizer = tiny_encoder("llama").tokenizer
    tokenizer.bos_token = None
    report = MaskReport(encoder_of(tokenizer, NO_BOS))
    encoded = encode(SHORT, report.encoder)
    report.add(encoded, check(encoded, report.encoder))

    report.check(overlong="drop")

    assert report.as_dict()["bos_per_row"] == 0
