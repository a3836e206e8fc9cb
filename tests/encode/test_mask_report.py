"""The mask report: its numbers are those of the rows, and what is wrong stops the run."""

from collections.abc import Sequence

import pytest

from foundry.core.errors import DataError
from foundry.core.records import EncodedRow, Example
from foundry.encode.mask_report import MaskReport, as_text, longest, row_faults
from foundry.encode.shards import encode_rows
from foundry.encode.tokenize import IGNORED, Encoded
from tests.encoders import NO_BOS, encoder_of, example, tiny_encoder

SHORT = example("多少錢？", "三百元。", line=2)
CHAT = example("顏色？", "白色。", "產地？", "台灣。", line=3)
LONG = example("請問" * 40, "好", line=4)
ENCODER = tiny_encoder("gemma3")
END = ENCODER.special["<end_of_turn>"]


def report_of(rows: Sequence[Example], *, max_seq_len: int = 64, overlong: str = "drop"):
    return encode_rows(rows, ENCODER, max_seq_len=max_seq_len, overlong=overlong)


def test_counts_are_those_of_the_kept_rows():
    report = report_of([SHORT, CHAT, LONG])

    found = report.as_dict()

    ids = [row.input_ids for row in report.kept]
    labels = [label for row in report.kept for label in row.labels if label != IGNORED]
    assert found["rows"] == 2
    assert found["tokens"] == sum(len(row) for row in ids)
    assert found["supervised_tokens"] == len(labels)
    assert found["supervised_share"] == round(len(labels) / found["tokens"], 4)
    assert found["assistant_turns"] == 3
    assert found["stops_supervised"] == {str(END): 3}
    assert found["bos_per_row"] == 1
    assert sum(found["length_histogram"].values()) == 2


def test_supervised_tokens_of_answers_of_known_length():  # C03
    answers = ["ab", "cd", "ef"]
    rows = [example("a question of many words", a, line=n) for n, a in enumerate(answers)]
    each = len(ENCODER.tokenizer("ab", add_special_tokens=False)["input_ids"]) + 1

    assert report_of(rows).as_dict()["supervised_tokens"] == 3 * each


def test_sample_shows_what_is_supervised_between_brackets():
    assert report_of([CHAT]).samples == [
        "<bos><start_of_turn>user\n顏色？<end_of_turn>\n"
        "<start_of_turn>model\n⟦白色。<end_of_turn>⟧\n"
        "<start_of_turn>user\n產地？<end_of_turn>\n"
        "<start_of_turn>model\n⟦台灣。<end_of_turn>⟧\n"
    ]


def test_text_names_every_count_on_a_line_of_its_own():
    found = report_of([SHORT, CHAT, LONG]).as_dict()

    lines = as_text(found).splitlines()

    assert lines[0] == "rows to train on: 2; left out for their length: 1"
    assert lines[1].startswith(f"tokens: {found['tokens']}; supervised: ")
    assert lines[2] == f"assistant turns: 3; supervised stop ids: {END} x3"
    assert lines[3].endswith("rows with a token merged over the seam: 0")
    assert lines[5] == "  " + report_of([SHORT]).samples[0].replace("\n", "⏎")


def test_longest_is_the_longest_row():
    report = report_of([SHORT, CHAT])

    assert longest(report.kept) == max(len(row.input_ids) for row in report.kept)
    assert longest([]) == 0


def test_row_over_the_limit_is_left_out_and_named():  # C11
    report = report_of([LONG, SHORT])

    assert [row.id for row in report.kept] == [SHORT.id]
    (dropped,) = report.as_dict()["dropped"]
    assert (dropped["source"], dropped["line"], dropped["code"]) == ("rows.csv", 4, "over-length")
    assert dropped["reason"].endswith("tokens, the limit is 64")


def test_row_of_exactly_the_limit_is_kept():  # C61
    length = len(ENCODER.encode(SHORT).row.input_ids)

    assert len(report_of([SHORT], max_seq_len=length).kept) == 1
    with pytest.raises(DataError):
        report_of([SHORT], max_seq_len=length - 1)


def test_nothing_left_is_refused_before_any_weights_are_read():  # C11
    with pytest.raises(DataError, match=r"no row is left to train on \(2 over the length limit\)"):
        report_of([LONG, LONG])


def test_overlong_rows_stop_a_run_that_asks_for_it():  # C61
    with pytest.raises(DataError, match=r"rows\.csv:4: .*the limit is 64"):
        report_of([SHORT, LONG], overlong="fail")


def test_every_faulty_row_is_named():
    with pytest.raises(DataError) as error:
        encode_rows(
            [SHORT, CHAT],
            encoder_of(
                ENCODER.tokenizer, ENCODER.template.replace("{{ bos_token }}", "<bos><bos>")
            ),
            max_seq_len=64,
            overlong="drop",
        )

    assert [problem.where for problem in error.value.problems] == ["rows.csv:2", "rows.csv:3"]


def faults(encoded: Encoded, row: Example = SHORT) -> str:
    """What the report finds wrong with a row, as one text."""
    return "; ".join(problem.what for problem in row_faults(row, encoded, ENCODER))


def relabelled(labels: Sequence[int], encoded: Encoded | None = None) -> Encoded:
    encoded = encoded or ENCODER.encode(SHORT)
    row = EncodedRow(encoded.row.id, encoded.row.input_ids, tuple(labels))
    return Encoded(row, encoded.stops, encoded.straddling)


def test_good_row_has_no_fault():
    assert faults(ENCODER.encode(SHORT)) == ""
    assert faults(ENCODER.encode(CHAT), CHAT) == ""


def test_row_with_nothing_supervised_is_a_fault():  # C04
    ids = ENCODER.encode(SHORT).row.input_ids

    assert f"0 of {len(ids)} tokens are supervised" in faults(relabelled([IGNORED] * len(ids)))


def test_row_with_everything_supervised_is_a_fault():  # C04
    ids = ENCODER.encode(SHORT).row.input_ids

    assert f"{len(ids)} of {len(ids)} tokens are supervised" in faults(relabelled(ids))


def test_supervised_prompt_is_a_fault():  # C03
    ids = ENCODER.encode(SHORT).row.input_ids

    assert "not the answer and its end" in faults(relabelled([IGNORED, *ids[1:]]))


def test_answer_without_its_end_is_a_fault():  # C01, C02
    labels = [IGNORED if label == END else label for label in ENCODER.encode(SHORT).row.labels]

    found = faults(relabelled(labels))

    assert "not the answer and its end" in found
    assert "1 assistant turns, but 0 supervised stop ids" in found


def test_turn_that_is_not_supervised_is_a_fault():  # C02
    encoded = ENCODER.encode(CHAT)
    first_end = encoded.row.labels.index(END)
    labels = [*encoded.row.labels[: first_end + 1], *[IGNORED] * 99][: len(encoded.row.labels)]

    assert "not the answer and its end" in faults(relabelled(labels, encoded), CHAT)


@pytest.mark.parametrize("count", [0, 2])
def test_row_without_exactly_one_bos_is_a_fault(count: int):  # C09
    encoded = ENCODER.encode(SHORT)
    bos = [ENCODER.special["<bos>"]] * count
    row = EncodedRow(
        SHORT.id,
        (*bos, *encoded.row.input_ids[1:]),
        (*[IGNORED] * count, *encoded.row.labels[1:]),
    )

    assert "exactly one BOS" in faults(Encoded(row, encoded.stops, 0))


def test_bos_of_a_model_without_one_is_told_as_none():  # C09
    tokenizer = tiny_encoder("llama").tokenizer
    tokenizer.bos_token = None
    report = MaskReport(encoder_of(tokenizer, NO_BOS))
    report.add(SHORT, report.encoder.encode(SHORT), 64)

    report.check(overlong="drop")

    assert report.as_dict()["bos_per_row"] == 0
