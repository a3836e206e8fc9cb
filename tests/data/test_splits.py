"""A split holds out whole groups, and no row ever changes sides (C27)."""

import pytest

from foundry.core.atomic import fingerprint
from foundry.core.errors import DataError
from foundry.core.records import Example, Turn
from foundry.core.split import Split
from foundry.data.duplicates import text_keys
from foundry.data.keys import Keys
from foundry.data.parts import divide


def split(rows, *, test, seed):
    """The examples of (train, test)."""
    how = Split(test=test, seed=seed)
    keys = Keys(how)
    for example in rows:
        keys.add(example)
    division = divide([keys], {}, how, lambda: iter(rows))
    assert division.names == ("train", "test")
    parts = zip(rows, division.part.tolist(), strict=True)
    sides = [(example, part) for example, part in parts if part >= 0]
    return [e for e, part in sides if part == 0], [e for e, part in sides if part == 1]


def examples(count, group_of=None, start=0):
    return [
        Example(
            id=f"id{n}",
            messages=(Turn("user", f"問{n}"), Turn("assistant", f"答{n}")),
            source="a.csv",
            line=n + 2,
            group=group_of(n) if group_of else f"id{n}",
        )
        for n in range(start, start + count)
    ]


def lines(part):
    return {example.line for example in part}


def test_share_is_met_on_average():
    train, test = split(examples(4000), test=0.15, seed=0)

    # Binomial: 600 expected, standard deviation 22.6; four of them.
    assert abs(len(test) - 600) < 91
    assert len(train) + len(test) == 4000


def test_group_is_never_torn_apart():  # C27
    train, test = split(examples(200, lambda n: f"文件{n % 20}"), test=0.3, seed=1)

    assert not {e.group for e in train} & {e.group for e in test}


def test_group_written_otherwise_is_the_same_group():
    rows = examples(40, lambda n: [f"Ａ{n // 2}", f"a{n // 2} "][n % 2])

    _train, test = split(rows, test=0.5, seed=0)

    assert {line % 2 for line in lines(test)} == {0, 1}
    assert lines(test) == {line ^ 1 for line in lines(test)}


def test_adding_rows_moves_no_old_row():  # C27
    old = examples(300, lambda n: f"商品{n % 30}")

    before = split(old, test=0.2, seed=3)[1]
    after = split([*old, *examples(500, lambda n: f"商品{n % 70}", 300)], test=0.2, seed=3)[1]

    assert lines(before) == lines(after) & lines(old)


def test_same_seed_gives_the_same_sides_and_another_seed_others():
    rows = examples(300)

    assert split(rows, test=0.2, seed=3) == split(rows, test=0.2, seed=3)
    assert split(rows, test=0.2, seed=3) != split(rows, test=0.2, seed=4)


def test_rows_without_a_group_stay_with_their_prompt():
    twins = [
        Example(
            id=f"{n}{answer}",
            messages=(Turn("user", f"問{n}"), Turn("assistant", answer)),
            source="a.csv",
            line=n,
            group=f"{n}{answer}",
        )
        for n in range(50)
        for answer in ("是", "否")
    ]

    train, test = split(twins, test=0.5, seed=0)

    assert not lines(train) & lines(test)


def test_empty_side_is_refused_and_the_seed_it_names_fills_both():  # C27
    rows = examples(80, lambda n: f"文件{n % 4}")
    empty = next(seed for seed in range(100) if not fills(rows, seed))

    with pytest.raises(DataError) as error:
        split(rows, test=0.15, seed=empty)

    fix = error.value.problems[0].fix or ""
    named = int(fix.split("data.split.seed: ")[1].split("`")[0])
    assert all(split(rows, test=0.15, seed=named))


def test_seed_that_is_named_comes_nearest_to_the_share():  # C27
    rows = examples(80, lambda n: f"文件{min(n // 4, 3)}")  # of 4, 4, 4 and 68 rows
    empty = next(seed for seed in range(100) if not fills(rows, seed))

    with pytest.raises(DataError, match="holds out 10% of the rows"):
        split(rows, test=0.15, seed=empty)


def test_one_group_cannot_be_split():
    with pytest.raises(DataError) as error:
        split(examples(9, lambda n: "同"), test=0.5, seed=0)

    assert "column with more values" in (error.value.problems[0].fix or "")


def fills(rows, seed):
    try:
        return all(split(rows, test=0.15, seed=seed))
    except DataError:
        return False


def test_key_of_a_plain_conversation_is_that_of_earlier_versions():
    """Another key would move rows that were held out into training."""
    turns = (Turn("user", "請問　保固？"), Turn("assistant", "一年。"))
    example = Example(id="1", messages=turns, source="a.csv", line=2, group="1")

    assert text_keys(example).prompt == fingerprint([["user", "請問 保固?"]])
