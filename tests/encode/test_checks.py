"""A row whose labels are not the answers and their ends is told, whatever went wrong before."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from foundry.core.records import Example
from foundry.encode.checks import check_many, says
from foundry.encode.rows import Encoded, encode
from foundry.encode.tokenize import IGNORED, encoder_of
from tests.encoders import NO_BOS, check, example, tiny_encoder

SHORT = example("多少錢？", "三百元。", line=2)
CHAT = example("顏色？", "白色。", "產地？", "台灣。", line=3)
LONG = example("多少錢？", "電風扇的售價是三百元，保固一年，產地是台灣，顏色是白色。", line=4)
ENCODER = tiny_encoder("gemma3")
END = ENCODER.special["<end_of_turn>"]


def faults(encoded: Encoded) -> str:
    """What is wrong with a row, as one text."""
    return "; ".join(problem.what for problem in check(encoded, ENCODER))


def relabelled(labels: Sequence[int], row: Example = SHORT) -> Encoded:
    encoded = encode(row, ENCODER)
    return replace(encoded, pieces=(replace(encoded.pieces[0], labels=tuple(labels)),))


@pytest.mark.parametrize("row", [SHORT, CHAT, LONG])
def test_good_row_has_no_fault(row: Example):
    assert faults(encode(row, ENCODER)) == ""


def test_faults_stay_with_their_rows():
    bad = relabelled([IGNORED] * len(encode(SHORT, ENCODER).row.input_ids))

    found = check_many([encode(CHAT, ENCODER), bad, encode(LONG, ENCODER)], ENCODER)

    assert [len(problems) for problems in found] == [0, 2, 0]
    assert {problem.where for problem in found[1]} == {"rows.csv:2"}


def test_row_with_nothing_supervised_is_a_fault():  # C04
    ids = encode(SHORT, ENCODER).row.input_ids

    assert f"0 of {len(ids)} tokens are supervised" in faults(relabelled([IGNORED] * len(ids)))


def test_row_with_everything_supervised_is_a_fault():  # C04
    ids = encode(SHORT, ENCODER).row.input_ids

    assert f"{len(ids)} of {len(ids)} tokens are supervised" in faults(relabelled(ids))


def test_supervised_prompt_is_a_fault():  # C03
    ids = encode(SHORT, ENCODER).row.input_ids

    assert "tokens of the prompt are supervised" in faults(relabelled([IGNORED, *ids[1:]]))


def test_white_space_of_the_prompt_is_a_fault():  # C03
    row = encode(SHORT, ENCODER).row
    first = next(n for n, label in enumerate(row.labels) if label != IGNORED)
    labels = [*row.labels[: first - 1], row.input_ids[first - 1], *row.labels[first:]]
    assert ENCODER.tokenizer.decode([labels[first - 1]]) == "\n"

    assert "tokens of the prompt are supervised ('\\n三百元。" in faults(relabelled(labels))


def test_answer_without_its_first_token_is_a_fault():
    labels = list(encode(LONG, ENCODER).row.labels)
    labels[next(n for n, label in enumerate(labels) if label != IGNORED)] = IGNORED

    assert "not the answer and its end" in faults(relabelled(labels, LONG))


def test_answer_with_a_hole_is_a_fault():
    labels = list(encode(LONG, ENCODER).row.labels)
    labels[len(labels) - 12] = IGNORED

    assert "not the answer and its end" in faults(relabelled(labels, LONG))


def test_label_that_is_not_the_id_of_its_place_is_a_fault():  # C15
    labels = list(encode(LONG, ENCODER).row.labels)
    labels[len(labels) - 12] += 1

    assert "not the answer and its end" in faults(relabelled(labels, LONG))


def test_answer_without_its_end_is_a_fault():  # C01, C02
    labels = [IGNORED if label == END else label for label in encode(SHORT, ENCODER).row.labels]

    found = faults(relabelled(labels))

    assert "not the answer and its end" in found
    assert "1 assistant turns, but 0 supervised stop ids" in found


def test_turn_that_is_not_supervised_is_a_fault():  # C02
    encoded = encode(CHAT, ENCODER)
    first_end = encoded.row.labels.index(END)
    labels = [*encoded.row.labels[: first_end + 1], *[IGNORED] * 99][: len(encoded.row.labels)]

    assert "not the answer and its end" in faults(relabelled(labels, CHAT))


@pytest.mark.parametrize("count", [0, 2])
def test_row_without_exactly_one_bos_is_a_fault(count: int):  # C09
    encoded = encode(SHORT, ENCODER)
    (piece,) = encoded.pieces
    bos = [ENCODER.special["<bos>"]] * count
    ids, labels = (*bos, *piece.ids[1:]), (*[IGNORED] * count, *piece.labels[1:])

    assert "exactly one BOS" in faults(
        replace(encoded, pieces=(replace(piece, ids=ids, labels=labels, added=count - 1),))
    )


def test_answer_in_a_form_that_the_tokenizer_normalises_is_no_fault():
    from tokenizers import normalizers

    encoder = encoder_of(tiny_encoder("llama").tokenizer, NO_BOS)
    encoder.backend.normalizer = normalizers.NFC()

    encoded = encode(example("a", "caf\u0065\u0301 and more words than eight tokens"), encoder)

    assert "é" in encoder.tokenizer.decode(encoded.row.input_ids)
    assert check(encoded, encoder) == []


def test_thinking_within_the_content_may_be_left_out():
    turn = example("問", "<think>\n想\n</think>\n\n答").messages[1]

    assert says("答<end>", turn)
    assert not says("想<end>", turn)
