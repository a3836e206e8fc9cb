"""`scores.csv` and `answers.csv`: every number and every answer, and no formula."""

import csv
import io

import pytest

from foundry.evals.compare import Measures, measure
from foundry.evals.comparison import Roles
from foundry.evals.report.rows import write_rows
from foundry.evals.report.spreadsheet import write_csv

FORMULA = '=HYPERLINK("https://evil.example","保固")'


def read(path):
    text = path.read_bytes().decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.fixture(scope="module")
def tables(unchanged_shop, tmp_path_factory):
    shop = unchanged_shop
    columns = [
        shop.column("base", lambda item: (FORMULA, False)),
        shop.column("tuned", shop.right(30)),
        shop.column("look-up", shop.right(34), {}),
    ]
    measured = measure(
        shop.items,
        columns,
        measures=Measures([shop.required(parts=["facts"]), shop.block("stop-rate")]),
        roles=Roles(base=("base",), tuned="tuned", naive=("look-up",)),
        part_titles={},
        seed=7,
    )
    scores, answers = write_rows(measured, tmp_path_factory.mktemp("rows"))
    return read(scores), read(answers)


def test_scores_have_a_row_for_each_item_column_and_metric_that_applies(tables):
    scores, _answers = tables

    keys = [(row["item_id"], row["column"], row["metric"]) for row in scores]
    assert len(keys) == len({*keys}) == 40 * 3 + 52 * 2
    right = [r for r in scores if (r["column"], r["metric"]) == ("tuned", "required-facts")]
    assert sum(float(row["score"]) for row in right) == 30
    assert {row["role"] for row in right} == {"tuned"}
    assert len({row["group"] for row in right}) == 20


def test_answers_have_a_row_for_each_item_and_column(tables):
    _scores, answers = tables

    assert len(answers) == 52 * 3
    one = next(r for r in answers if (r["item_id"], r["column"]) == ("item07", "tuned"))
    assert one["question"] == "商品7多少錢？"
    assert one["context"] == "售價：107元\n原價：307元\n保固：8年"
    assert (one["reference"], one["answer"], one["stopped"]) == (
        "售價107元。",
        "售價107元。",
        "True",
    )


def test_what_a_model_said_is_no_formula(tables):
    _scores, answers = tables

    said = {row["answer"] for row in answers if row["column"] == "base"}
    assert said == {"'" + FORMULA}


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("-3 元", "'-3 元"),
        ("+886-2", "'+886-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        (" =1+1", "' =1+1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u200b =1", "'\u200b =1"),
        ("\t=1", "'\t=1"),
        ("'甲'", "''甲'"),
        ("售價=300", "售價=300"),
        ('a,"b"\n- c', 'a,"b"\n- c'),
        ("\x00\x07\ud800", "␀␇\ufffd"),
        ("", ""),
    ],
)
def test_text_stands_as_it_is_behind_an_apostrophe_where_it_might_be_obeyed(text, stands):
    written = write_csv(["text"], [{"text": text}, {"text": "next"}])

    rows = [*csv.reader(io.StringIO(written.removeprefix("\ufeff"), newline=""))]
    assert rows == [["text"], [stands], ["next"]]


def test_numbers_are_exact_and_a_missing_one_is_empty():
    written = write_csv(["a", "b", "c"], [{"a": 0.1 + 0.2, "b": None, "c": -1.5}])

    assert written == "\ufeffa,b,c\r\n0.30000000000000004,,-1.5\r\n"
