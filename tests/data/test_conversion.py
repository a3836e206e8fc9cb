"""A look at a file and a run make the same of its rows."""

from dataclasses import replace

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data.conversion import SAMPLE_ITEMS, first_items, resolve_items
from foundry.data.formats import auto
from foundry.data.glimpse import glimpse
from foundry.data.places import Found
from foundry.data.rows import Bad, Blank, Row

AUTO = Block(kind="auto", spec=auto.Spec())
ROW = Row(1, {"question": "問", "answer": "答"})


def test_look_at_a_file_gives_the_examples_of_a_run(bench):
    rows = [{"question": f"問{n}", "answer": f"{{{{名}}}}{n}", "id": str(n)} for n in range(9)]
    path = bench.write("a.jsonl", [*rows, {"question": "", "answer": "答", "id": "9"}])

    manifest = bench.prepare("a.jsonl", format={"kind": "auto"})
    seen = glimpse(Found("a.jsonl", path, path), AUTO, rows=10)

    made = [replace(example, id="", group="", fields={}) for example in bench.part()]
    assert seen.examples == made
    assert [(r.line, r.code) for r in seen.refused] == bench.refused()
    assert seen.notices == manifest.noticed
    assert seen.format.kind == manifest.sources[0].format["kind"]


def test_items_looked_at_are_taken_out_and_no_more():
    items = iter([ROW] * (SAMPLE_ITEMS + 2))

    assert len(first_items(items)) == SAMPLE_ITEMS
    assert len(list(items)) == 2


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ([], "the file has no rows"),
        ([Blank(1)] * 3, "the file has no rows"),
        ([Blank(1)] * SAMPLE_ITEMS, "no row can be read"),  # there may be rows further down
        ([Bad(1, "cells", "")], "no row can be read"),
    ],
)
def test_file_without_a_row_to_guess_from_is_refused(first, told):
    with pytest.raises(DataError, match=told) as error:
        resolve_items(first, AUTO, "a.csv")

    assert error.value.problems[0].where == "a.csv"


def test_blank_and_bad_items_do_not_hide_the_format():
    block, guessed = resolve_items([Blank(1), Bad(2, "cells", ""), ROW], AUTO, "a.csv")

    assert (block.kind, guessed) == ("question-answer", True)
