"""Every family's template on ten conversations: ids and labels, or the reason for a refusal."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from foundry.core.errors import DataError
from foundry.core.records import EncodedRow
from foundry.encode import tokenize
from foundry.encode.rows import Encoded, encode
from foundry.encode.tokenize import IGNORED, Encoder, encoder_of, runs
from tests.cases import case, change
from tests.encoders import check
from tests.family_talks import TALKS, talk
from tests.tiny import tiny_tokenizer
from tests.tiny_models import MODELS

# Models whose template and tokens another one has, too.
SAME = {"gemma3-conditional", "gemma4-unified", "ministral", "granite-hybrid", "apertus1.5"}
NAMES = [name for name in MODELS if name not in SAME]


@cache
def encoder_for(name: str) -> Encoder:
    """The tokenizer of a tiny model with its family's template."""
    return encoder_of(tiny_tokenizer(name), MODELS[name].source)


def taken(name: str) -> Iterator[Encoded]:
    """The conversations that a family's template does not refuse."""
    for title in TALKS:
        try:
            yield encode(talk(title), encoder_for(name))
        except DataError:
            continue


def marked(row: EncodedRow, encoder: Encoder) -> str:
    """The row as text, in which ⟦ ⟧ stand around what is supervised."""
    ids, place, text = list(row.input_ids), 0, ""
    for start, stop in runs(row.labels):
        text += encoder.tokenizer.decode(ids[place:start])
        text += "⟦" + encoder.tokenizer.decode(ids[start:stop]) + "⟧"
        place = stop
    return text + encoder.tokenizer.decode(ids[place:])


def described(title: str, encoder: Encoder) -> str:
    """What becomes of a conversation, as its golden file has it."""
    lines = [f"# {title}"]
    try:
        rows = encode(talk(title), encoder).rows
    except DataError as error:
        return "\n".join([*lines, f"refused: {error.problems[0].what}", ""])
    for row in rows:
        spans = ", ".join(f"{start}-{stop - 1}" for start, stop in runs(row.labels))
        ids = " ".join(str(token) for token in row.input_ids)
        lines += [marked(row, encoder), f"ids: {ids}", f"supervised: {spans}"]
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("name", NAMES)
def test_ids_and_labels_of_ten_conversations(name: str, golden: Callable[[str, str], None]):
    encoder = encoder_for(name)

    stops = {
        span.terminator for made in taken(name) for p in made.pieces for span in p.masked.spans
    }
    ends = ", ".join(f"{token} {encoder.special[token]}" for token in sorted(stops))
    told = [f"stop ids: {ends}", "", *(described(title, encoder) for title in TALKS)]
    golden(f"{name}.txt", "\n".join(told))


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_not_refused_have_no_fault(name: str):
    encoder = encoder_for(name)

    for encoded in taken(name):
        assert check(encoded, encoder) == []
        for row in encoded.rows:
            kept = [label for label in row.labels if label != IGNORED]
            assert 0 < len(kept) < len(row.labels)


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_ends_with_a_supervised_stop_id(name: str):  # C02, C80
    for encoded in taken(name):
        answers = [turn for turn in encoded.example.messages if turn.role == "assistant"]
        ends = [row.labels[stop - 1] for row in encoded.rows for _start, stop in runs(row.labels)]

        stops = [stop for piece in encoded.pieces for stop in piece.stops]
        assert len(ends) == len(answers)
        assert ends == stops


@pytest.mark.parametrize("name", NAMES)
def test_prompt_of_use_is_the_head_of_the_trained_row(name: str):  # C28
    encoder = encoder_for(name)
    for encoded in taken(name):
        if encoded.example.tools:
            continue
        prompt = encoder.prompt_ids(encoded.example.prompt)

        ids, labels = encoded.row.input_ids, encoded.row.labels
        assert list(ids[: len(prompt)]) == prompt
        assert set(labels[len(prompt) - 1 :][:2]) != {IGNORED}


# What stands before an answer and after it, both written by the model.
AROUND = {
    "llama": ("", "<|eot_id|>"),
    "qwen2.5": ("", "<|im_end|>"),
    "gemma3": ("", "<end_of_turn>"),
    "mistral": (" ", "</s>"),
}


@pytest.mark.parametrize("name", AROUND)
@case(
    "C04",
    {
        "markers are looked for, and there are none": change(
            tokenize, "supervise", lambda ids, tokens, masked, control=(): [IGNORED] * len(ids)
        ),
        "everything is supervised": change(
            tokenize, "supervise", lambda ids, tokens, masked, control=(): list(ids)
        ),
    },
)
def test_stock_template_without_markers_supervises_answers_and_their_ends(name: str):
    encoder = encoder_of(tiny_tokenizer(name), MODELS[name].source)
    assert "generation %}" not in encoder.template
    example = talk("multi-turn")

    row = encode(example, encoder).row

    found = encoder.tokenizer.decode([label for label in row.labels if label != IGNORED])
    answers = [turn.content for turn in example.messages if turn.role == "assistant"]
    before, after = AROUND[name]
    assert found == "".join(before + answer + after for answer in answers)


def test_reasoning_reaches_the_template_of_gpt_oss():
    first, second = encode(talk("thinking"), encoder_for("gpt-oss")).rows

    texts = [marked(row, encoder_for("gpt-oss")) for row in (first, second)]
    said = "⟦<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>"
    assert said.format("one and one") + "2<|return|>⟧" in texts[0]
    assert said.format("two and two") + "4<|return|>⟧" in texts[1]
    assert "one and one" not in texts[1]
