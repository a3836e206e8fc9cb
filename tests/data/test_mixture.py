"""Sources by weight and replayed rows: exact counts, the same draw each time, nothing tested on."""

import random
from collections import Counter

import pytest
from pydantic import ValidationError

from foundry.core.errors import DataError
from foundry.core.mixing import Mix
from foundry.core.recipe import Data
from foundry.data import parts
from foundry.data.mixture import counts, replayed
from tests.cases import case, change
from tests.data.conftest import DECLARATION, QUESTION_ANSWER


def source(path, **more):
    return {"path": path, "licence": "CC0-1.0", "declaration": DECLARATION, **more}


def csv(name, rows, header="question,answer"):
    return f"{header}\n" + "".join(f"{name} question {n},{name} answer {n}\n" for n in range(rows))


def drawn(bench):
    """How often each row stands in `train`, by the file it is from."""
    return Counter((example.source, example.line) for example in bench.part())


def by_file(bench):
    return dict(Counter(example.source for example in bench.part()))


@pytest.fixture
def two(bench):
    bench.write("a.csv", csv("a", 30))
    bench.write("b.csv", csv("b", 10))

    def prepare(*weights, **data):
        weighed = [{"weight": w} for w in weights] or [{}, {}]
        sources = [source("a.csv", **weighed[0]), source("b.csv", **weighed[1])]
        return bench.prepare(**{"sources": sources, **data})

    return prepare


def test_equal_weights_use_the_small_source_as_often_as_the_large_one(bench, two):
    manifest = two(1, 1)

    assert by_file(bench) == {"a.csv": 30, "b.csv": 30}
    assert set(drawn(bench).values()) == {1, 3}
    assert (manifest.rows_in, manifest.rows_used, manifest.part("train").rows) == (40, 40, 60)
    assert manifest.mixture["repeated"] == 20
    assert manifest.mixture["sources"][1] == {
        **{"files": ["b.csv"], "replay": False, "weight": 1.0},
        **{"rows": 10, "used": 10, "drawn": 30, "share": 0.5},
    }


def test_no_row_twice_leaves_out_what_is_too_much_and_says_which(bench, two):
    manifest = two(1, 1, mix={"rows": "once"})

    assert by_file(bench) == {"a.csv": 10, "b.csv": 10}
    assert set(drawn(bench).values()) == {1}
    assert manifest.refused_by_code == {"not-drawn": 20}
    assert manifest.sources[0].used == 10
    left_out = {line for line, code in bench.refused()}
    assert left_out == set(range(2, 32)) - {line for name, line in drawn(bench) if name == "a.csv"}


def test_a_number_of_rows_is_kept_to_the_row(bench, two):
    two(2, 1, mix={"rows": 50})

    assert by_file(bench) == {"a.csv": 33, "b.csv": 17}
    assert Counter(drawn(bench).values()) == {1: 27 + 3, 2: 3 + 7}


def test_another_seed_draws_other_rows_and_the_same_seed_the_same(bench, two):
    first = [two(1, 1, mix={"rows": "once", "seed": seed}) and drawn(bench) for seed in (0, 1, 0)]

    assert first[0] == first[2] != first[1]


def test_the_draw_depends_neither_on_order_nor_on_rows_added_elsewhere(bench, two):
    two(1, 1, mix={"rows": "once"})
    before = {line for name, line in drawn(bench) if name == "a.csv"}

    sources = [source("b.csv", weight=1), source("a.csv", weight=1)]
    bench.prepare(sources=sources, mix={"rows": "once"})

    assert {line for name, line in drawn(bench) if name == "a.csv"} == before


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1, [90, 10]), (2, [90, 30]), (100, [90, 88])]
)
def test_temperature_makes_sources_more_alike(temperature, expected):
    # by hand: 10^(1/2) / 90^(1/2) = 1/3 of 90 rows; (1/9)^(1/100) of 90 = 88.04
    assert counts([90, 10], None, Mix(temperature=temperature)) == expected


@pytest.mark.parametrize("seed", range(50))
def test_counts_keep_their_promise(seed):
    chance = random.Random(seed)
    rows = [chance.randint(1, 400) for _ in range(chance.randint(1, 5))]
    weights = [chance.uniform(0.01, 5) for _ in rows]
    total = chance.randint(1, 2000)

    every = counts(rows, weights, Mix())
    once = counts(rows, weights, Mix(rows="once"))
    exact = counts(rows, weights, Mix(rows=total))

    assert all(drawn >= there for drawn, there in zip(every, rows, strict=True))
    assert any(drawn == there for drawn, there in zip(every, rows, strict=True))
    assert all(drawn <= there for drawn, there in zip(once, rows, strict=True))
    assert sum(exact) == total
    wanted = [total * weight / sum(weights) for weight in weights]
    assert all(abs(drawn - want) < 1 for drawn, want in zip(exact, wanted, strict=True))


@pytest.mark.parametrize(("rows", "share", "more"), [(90, 0.1, 10), (300, 0.25, 100), (7, 0.5, 7)])
def test_a_replay_share_is_of_all_training_rows(rows, share, more):
    assert replayed(rows, share) == more


def test_replay_adds_its_share_and_accounts_for_the_rest(bench):
    bench.write("task.csv", csv("task", 90))
    bench.write("general.csv", csv("general", 40, header="prompt,reply"))

    manifest = bench.prepare("task.csv", replay=replay("general.csv"))

    assert by_file(bench) == {"task.csv": 90, "general.csv": 10}
    assert manifest.refused_by_code == {"not-drawn": 30}
    assert manifest.mixture["sources"][1]["replay"] is True
    assert manifest.mixture["sources"][1]["share"] == 0.1
    assert manifest.sources[1].licence == "CC0-1.0"
    assert manifest.sources[1].declaration["basis"] == "own-work"


def test_the_training_rows_of_an_earlier_run_can_be_replayed(bench):
    bench.write("old.csv", csv("old", 12))
    bench.prepare("old.csv")
    earlier = bench.out / "train.jsonl"
    bench.write("earlier.jsonl", earlier.read_bytes())
    bench.write("task.csv", csv("task", 9))

    bench.prepare("task.csv", replay={"share": 0.5, "sources": [source("earlier.jsonl")]})

    assert by_file(bench) == {"task.csv": 9, "earlier.jsonl": 9}


def test_few_rows_to_replay_are_used_again(bench):
    bench.write("task.csv", csv("task", 60))
    bench.write("general.csv", csv("general", 4, header="prompt,reply"))

    manifest = bench.prepare("task.csv", replay=replay("general.csv"))

    assert by_file(bench)["general.csv"] == 7
    assert manifest.mixture["repeated"] == 3


def not_looked_for(files, part, repeats, begins, end):
    """Rows to replay that are not compared with what is held out."""


LEAKY = {"replayed rows are not looked at": change(parts, "_keep_out", not_looked_for)}


@case("C27", LEAKY)
def test_no_replayed_row_asks_says_or_shares_what_is_held_out(bench):
    bench.write("task.csv", csv("task", 40))
    bench.prepare("task.csv", split={"test": 0.3})
    tested = [example.messages[-2].content for example in bench.part("test")]
    rows = [f"{question},another answer" for question in tested]
    rows += [f"{question},{question.replace('question', 'answer')}" for question in tested]
    rows += [f"general {n},general {n}" for n in range(3)]
    bench.write("general.csv", "prompt,reply\n" + "\n".join(rows) + "\n")

    manifest = bench.prepare("task.csv", split={"test": 0.3}, replay=replay("general.csv"))

    assert {example.messages[-2].content for example in bench.part()}.isdisjoint(tested)
    assert manifest.sources[1].refused["in-test"] == 2 * len(tested)
    assert manifest.overlap["test"]["removed_from_train"] == 2 * len(tested)
    assert [example.messages[-2].content for example in bench.part("test")] == tested


@case("C27", LEAKY)
def test_no_replayed_row_shares_a_value_that_a_test_part_keeps_for_itself(bench):
    bench.write("task.csv", "question,answer,product\n" + "q1,a1,fan\nq2,a2,lamp\n")
    bench.write("held.csv", "question,answer,product\nq3,a3,Kettle\n")
    bench.write("general.csv", "prompt,reply,product\np1,r1,kettle\np2,r2,stove\n")
    test = {"name": "products", "path": "held.csv", "disjoint_by": "product"}

    bench.prepare("task.csv", tests=[test], replay=replay("general.csv", share=0.5))

    assert drawn(bench) == {("task.csv", 2): 1, ("task.csv", 3): 1, ("general.csv", 3): 2}
    assert bench.refused() == [(2, "in-test")]


def test_rows_of_another_type_are_not_replayed(bench):
    bench.write("task.csv", csv("task", 5))
    bench.write("general.csv", "text\nsome words\n")
    again = replay("general.csv") | {"format": {"kind": "text"}}

    with pytest.raises(DataError, match="language-modeling"):
        bench.prepare("task.csv", replay=again)


def test_a_weighed_source_without_rows_of_its_own_is_refused_by_name(bench, two):
    bench.write("b.csv", csv("a", 10))

    with pytest.raises(DataError, match=r"data\.sources\.1: no rows of b\.csv"):
        two(1, 1)


def test_a_share_too_small_for_a_row_is_refused(bench, two):
    with pytest.raises(DataError, match="too small a share"):
        two(1, 1000, mix={"rows": "once"})


@pytest.mark.parametrize(
    ("weights", "mix", "said"),
    [
        ([1, None], {}, "some sources have a `weight`"),
        ([1, 2], {"temperature": 2}, "not both"),
        ([0, 1], {}, "greater than 0"),
        ([None, None], {"rows": 0}, "greater than or equal to 1"),
    ],
)
def test_a_mixture_that_means_nothing_is_refused(weights, mix, said):
    sources = [source("a.csv", weight=weight) for weight in weights]

    with pytest.raises(ValidationError, match=said):
        Data.model_validate({"sources": sources, "format": QUESTION_ANSWER, "mix": mix})


def replay(path, share=0.1):
    format = {"kind": "question-answer", "question": "prompt", "answer": "reply"}
    return {"share": share, "sources": [source(path)], "format": format}
