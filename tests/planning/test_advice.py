"""A recipe says what its rows need and leaves the rest to the defaults."""

from collections import Counter
from pathlib import Path

import pytest

from foundry.core.blocks import Block
from foundry.core.split import Split
from foundry.data.duplicates import text_keys
from foundry.data.formats import auto
from foundry.data.glimpse import SAMPLE_ITEMS, Glimpse, glimpse
from foundry.data.places import Found
from foundry.data.splits import TESTED, group_key, seed_for, side_of
from foundry.encode.tokenize import Encoder
from foundry.models.at_hand import at_hand
from foundry.planning.advice import Advice, advise
from foundry.planning.dry_render import light_encoder

AUTO = Block(kind="auto", spec=auto.Spec())


@pytest.fixture
def seen(tmp_path: Path):
    """What is seen of a table with so many rows, each with an answer of so many characters."""

    def run(rows: int, answer: int = 2, header: str = "question,answer") -> Glimpse:
        lines = [header, *(f"{n}?,{'好' * answer}{n}" for n in range(rows))]
        path = tmp_path / "faq.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return glimpse(Found("faq.csv", path, path), AUTO, rows=SAMPLE_ITEMS)

    return run


@pytest.fixture
def encoder(tiny_llama: Path) -> Encoder:
    base = at_hand(tiny_llama.name, tiny_llama.parent)
    assert base is not None
    return light_encoder(base, None)


def test_few_rows_are_all_learned_and_nothing_is_measured(seen):
    advice = advise(seen(19), None, None)

    assert (advice.split, advice.evals) == (None, ())


@pytest.mark.parametrize(("rows", "test"), [(20, 0.2), (49, 0.2), (50, 0.1), (400, 0.1)])
def test_share_held_out(seen, rows, test):
    assert advise(seen(rows), None, None).split["test"] == test


def test_no_part_of_the_split_is_empty(seen):
    for rows in range(20, 60):
        look = seen(rows)
        split = Split(**advise(look, None, None).split)
        keys = [group_key(e, text_keys(e).prompt) for e in look.examples]
        held_out = [side_of(key, split) == TESTED for key in keys]
        assert 0 < sum(held_out) < rows


def test_seed_is_the_splits_own_where_it_fills_both_sides():
    rows = Counter(f"prompt {n}" for n in range(100))

    assert seed_for(rows, Split(test=0.1)) == 0


def test_seed_is_another_where_the_own_leaves_a_side_empty():
    rows = Counter(["prompt a", "prompt b"])
    found = seed_for(rows, Split(test=0.1))

    assert found is not None
    sides = [side_of(key, Split(test=0.1), found) for key in rows]
    assert sides.count(TESTED) == 1


def test_no_seed_divides_a_single_group():
    assert seed_for(Counter(["prompt a"]), Split(test=0.5)) is None


@pytest.mark.parametrize(
    ("rows", "parameters", "train"),
    [
        (10, 268_000_000, {"max_steps": 60, "learning_rate": 1.5e-3}),
        (200, 268_000_000, {"learning_rate": 1.5e-3}),
        (400, 268_000_000, None),
        (10, 8_000_000_000, {"max_steps": 60}),
        (200, 8_000_000_000, None),
        (10, None, {"max_steps": 60}),
    ],
)
def test_short_training_of_a_small_base_wants_a_high_rate(seen, rows, parameters, train):
    assert advise(seen(rows), None, parameters).train == train


def test_short_answers_are_compared_word_for_word(seen):
    assert advise(seen(30), None, None).evals == ("exact-match", "character-f1", "stop-rate")


def test_long_answers_are_not(seen):
    assert advise(seen(30, header="instruction,output"), None, None).evals == (
        *("character-f1", "stop-rate"),
    )


def test_rows_within_the_defaults_change_nothing(seen, encoder):
    advice = advise(seen(30), encoder, None)

    assert (advice.max_seq_len, advice.max_new_tokens) == (None, None)


def test_long_rows_raise_the_limits_in_steps(seen, encoder):
    advice = advise(seen(30, 700), encoder, None)

    assert advice.max_seq_len % 128 == 0 and 700 < advice.max_seq_len < 2200
    assert advice.max_new_tokens == 1024


def test_lengths_are_left_alone_without_the_base(seen):
    assert advise(seen(30, 700), None, None).max_seq_len is None


def test_preferences_are_neither_split_nor_measured(tmp_path):
    path = tmp_path / "pairs.csv"
    lines = ["prompt,chosen,rejected", *(f"{n}?,yes {n},no {n}" for n in range(40))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    advice = advise(glimpse(Found("pairs.csv", path, path), AUTO, rows=SAMPLE_ITEMS), None, None)

    assert advice == Advice(train={"kind": "dpo"})
