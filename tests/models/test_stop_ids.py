"""Gemma's turns end with a token that is not its EOS (C80)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.core.recipe import Encode
from foundry.delivery import hf_files
from foundry.delivery.artefact import Tuned
from foundry.encode import tokenize
from foundry.encode.batches import encoded_tables
from foundry.encode.ends import all_stop_ids
from foundry.encode.mask_report import MaskReport
from foundry.encode.tables import rows_of
from foundry.encode.tokenize import IGNORED, encoder_of
from foundry.models.fetch import locate
from tests.cases import case, change
from tests.encoders import example, lines_of
from tests.tiny import tokenizer_of
from tests.tiny_models import MODELS

EOS, END = 1, 106
# The order of Gemma's own control tokens, in which a turn begins with 105 and ends with 106.
UNUSED = [f"<unused{n}>" for n in range(102)]
CONTROL = ("<bos>", "<eos>", "<pad>", *UNUSED, "<start_of_turn>", "<end_of_turn>")
TWO_TURNS = example("多少錢？", "三百元。", "Is it white?", "Yes.")


@pytest.fixture(scope="module")
def plain(tiny_gemma3: Path) -> Tuned:
    """A tiny Gemma 3 whose tokenizer has the ids of the case."""
    made = replace(MODELS["gemma3"], control=CONTROL)
    encoder = encoder_of(tokenizer_of(made), made.source)
    assert (encoder.tokenizer.eos_token_id, encoder.special["<end_of_turn>"]) == (EOS, END)
    return Tuned(locate(str(tiny_gemma3), Path()), Path(), encoder, (), "Tiny 1.0.0")


def keyed_on_the_eos(ids, tokens, masked, control=()):
    """Labels of a mask that takes the EOS for the end of a turn and leaves others out."""
    right = correct(ids, tokens, masked, control)
    return [IGNORED if token == END else label for token, label in zip(ids, right, strict=True)]


def every_end(ids, tokens, masked, control=()):
    right = correct(ids, tokens, masked, control)
    return [END if token == END else label for token, label in zip(ids, right, strict=True)]


def base_end_alone(tuned: Tuned, folder: Path) -> None:
    atomic.write_json(folder / hf_files.GENERATION_CONFIG, {"eos_token_id": [EOS]})


correct = tokenize.supervise


@case(
    "C80",
    {
        "the mask is keyed on the EOS": change(tokenize, "supervise", keyed_on_the_eos),
        "ends of questions are supervised": change(tokenize, "supervise", every_end),
        "the base's end is declared alone": change(hf_files, "write_stop_ids", base_end_alone),
    },
)
def test_end_of_turn_is_supervised_declared_and_reported(plain: Tuned, tmp_path: Path):
    report = MaskReport(plain.encoder)

    (table,) = encoded_tables(lines_of([TWO_TURNS]), Encode(max_seq_len=128), report)
    (row,) = rows_of(table)
    report.check(overlong="fail")

    ends = [label for token, label in zip(row.input_ids, row.labels, strict=True) if token == END]
    assert ends == [IGNORED, END, IGNORED, END]
    assert report.as_dict()["stops_supervised"] == {str(END): 2}
    stops = all_stop_ids(sorted(report.stops), EOS, plain.encoder.tokenizer.eos_token_id)
    hf_files.write_stop_ids(replace(plain, stop_ids=stops), tmp_path)
    written = json.loads((tmp_path / hf_files.GENERATION_CONFIG).read_text(encoding="utf-8"))
    assert set(written["eos_token_id"]) == {EOS, END}
