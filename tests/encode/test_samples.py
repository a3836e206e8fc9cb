"""The rows that are shown: one of each kind, and the longest."""

from dataclasses import replace

from foundry.core.records import Turn
from foundry.encode.rows import encode
from foundry.encode.samples import SHOWN_IDS, Samples, as_marked, kinds, parts
from foundry.encode.tokenize import IGNORED
from tests.encoders import conversation, example, tiny_encoder

ENCODER = tiny_encoder("gemma3")
SHORT = encode(example("多少錢？", "三百元。"), ENCODER)
CHAT = encode(example("一？", "甲。", "二？", "乙。", line=3), ENCODER)
LONG = encode(example("長" * 50, "好。", line=4), ENCODER)
LONGER = encode(example("長" * 60, "好。", line=5), ENCODER)


def shown(*rows: object) -> list[tuple[str, int]]:
    samples = Samples()
    for row in rows:
        samples.look_at(row)  # type: ignore[arg-type]
    return [(sample["kind"], sample["line"]) for sample in samples.as_list(ENCODER.tokenizer)]


def test_first_of_each_kind_and_the_longest_are_shown_once():
    found = shown(SHORT, LONG, CHAT, LONGER, SHORT)

    assert sorted(found) == [("first", 2), ("longest", 5), ("multi-turn", 3)]
    assert shown(SHORT) == [("first", 2)]


def test_both_sides_of_a_preference_are_shown():
    row = replace(example("多少錢？", "三百元。"), rejected=Turn("assistant", "不知道。"))

    assert shown(encode(row, ENCODER)) == [("first", 2)] * 2


def test_kinds_name_what_a_row_holds():
    turns = (*conversation("一？", "甲。", "二？"), Turn("assistant", "乙。", reasoning="想"))

    row = encode(replace(example("", ""), messages=turns), ENCODER)

    assert list(kinds(row)) == ["first", "reasoning", "multi-turn"]


def test_long_part_is_shown_without_its_middle():
    ids = [ENCODER.tokenizer("a")["input_ids"][-1]] * (3 * SHOWN_IDS)
    labels = [IGNORED] * (2 * SHOWN_IDS) + ids[2 * SHOWN_IDS :]

    before, after = parts(ids, labels, ENCODER.tokenizer)

    assert (before["supervised"], after["supervised"]) == (False, True)
    assert before["text"] == f"{'a' * (SHOWN_IDS // 2)} … {'a' * (SHOWN_IDS // 2)}"
    assert after["text"] == "a" * SHOWN_IDS


def test_marked_text_has_the_supervised_parts_between_brackets():
    sample = {"parts": [{"text": "問", "supervised": False}, {"text": "答", "supervised": True}]}

    assert as_marked(sample) == "問⟦答⟧"
