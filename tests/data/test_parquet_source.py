"""A Parquet table gives its values as a JSON file would have them, and nothing is guessed."""

from datetime import date, datetime, time
from decimal import Decimal

import pyarrow
import pyarrow.parquet
import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data.reading import read
from foundry.data.rows import Bad, Blank, JsonNumber, Row
from foundry.data.sources import parquet
from tests.data.pasting import pasted


@pytest.fixture
def table(tmp_path):
    """Writes columns to a Parquet file: `table(q=["a"])`; groups of two rows."""

    def write(**columns):
        path = tmp_path / "rows.parquet"
        rows = pyarrow.table(columns)
        pyarrow.parquet.write_table(
            rows, path, row_group_size=2, compression="none", write_page_checksum=True
        )
        return path

    return write


def values(path, column):
    return [item.values[column] for item in read(path).items]


def test_rows_are_numbered_through_all_groups(table):
    path = table(q=["a", "b", "c"])

    assert list(read(path).items) == [Row(n, {"q": t}) for n, t in enumerate("abc", 1)]


@pytest.mark.parametrize("name", ["rows.csv", "rows"])
def test_name_does_not_matter(table, name):  # C54
    path = table(q=["a"])

    reading = read(path.rename(path.with_name(name)))

    assert (reading.kind, reading.encoding) == ("parquet", "utf-8")


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (["0912345678"], "0912345678"),
        (pyarrow.array([True]), True),
        (pyarrow.array([12345678901234567], pyarrow.int64()), JsonNumber("12345678901234567")),
        (pyarrow.array([3.0]), JsonNumber("3")),
        (pyarrow.array([0.1]), JsonNumber("0.1")),
        (pyarrow.array([0.1], pyarrow.float32()), JsonNumber("0.1")),
        (pyarrow.array([16777217.5], pyarrow.float32()), JsonNumber("16777218")),
        (pyarrow.array([float("nan")]), None),
        (pyarrow.array([Decimal("1.50")]), JsonNumber("1.50")),
        (pyarrow.array([date(2026, 1, 5)]), "2026-01-05"),
        (pyarrow.array([time(13, 45)]), "13:45:00"),
        (pyarrow.array([datetime(2026, 1, 5, 13, 45)]), "2026-01-05T13:45:00"),
        (
            pyarrow.array([datetime(2026, 1, 5)], pyarrow.timestamp("s", "Asia/Taipei")),
            "2026-01-05T08:00:00+08:00",
        ),
        (pyarrow.array(["x"]).dictionary_encode(), "x"),
    ],
)
def test_value_is_text_number_or_date_in_one_form(table, column, text):  # C48
    assert values(table(q=["q"], v=column), "v") == [text]


def test_lists_structs_and_maps_keep_their_shape_and_null_stays_null(table):  # C53
    chats = [[{"role": "user", "n": None}, {"role": "assistant", "n": 1}], [], None]
    maps = pyarrow.array([[("a", 1)], [], None], pyarrow.map_(pyarrow.string(), pyarrow.int64()))

    path = table(q=["1", "2", "3"], chat=chats, map=maps)

    whole = [{"role": "user", "n": None}, {"role": "assistant", "n": JsonNumber("1")}]
    assert values(path, "chat") == [whole, [], None]
    assert values(path, "map") == [{"a": JsonNumber("1")}, {}, None]


def test_row_of_nulls_is_blank_and_infinity_is_refused(table):  # C50, C56
    path = table(q=["a", None, "b"], n=[1.0, None, float("inf")])

    assert list(read(path).items)[1:] == [
        Blank(2),
        Bad(3, "not-a-number", "`Infinity` is not a JSON number"),
    ]


def test_bytes_are_refused_with_the_columns_that_can_be_read(table):
    path = table(q=["a"], image=[{"bytes": b"x"}], a=["b"])

    with pytest.raises(DataError, match="column `image` holds struct") as error:
        list(read(path).items)

    assert error.value.problems[0].fix == "`read: {kind: parquet, columns: [q, a]}`"
    how = Block(kind="parquet", spec=parquet.Spec(columns=("a", "q")))
    assert list(read(path, how).items) == [Row(1, {"a": "b", "q": "a"})]


@pytest.mark.parametrize("name", ["2024", "a: b", "a, b", "a # b", "null", "]"])
def test_fix_can_be_pasted_whatever_the_columns_are_called(table, name):
    path = table(**{name: ["a"], "image": [b"x"]})

    with pytest.raises(DataError) as error:
        list(read(path).items)

    assert list(read(path, pasted(error.value.problems[0].fix)).items) == [Row(1, {name: "a"})]


def test_table_of_bytes_alone_has_no_columns_to_keep(table):
    with pytest.raises(DataError, match="holds binary") as error:
        list(read(table(image=[b"x"])).items)

    assert "read:" not in error.value.problems[0].fix


def test_unknown_column_is_told_with_those_there_are(table):
    how = Block(kind="parquet", spec=parquet.Spec(columns=("answer",)))

    with pytest.raises(DataError, match="no column `answer`; there are: q, a") as error:
        list(read(table(q=["a"], a=["b"]), how).items)
    assert "`columns`" in error.value.problems[0].fix

    how = Block(kind="parquet", spec=parquet.Spec(columns=("answer", "a")))
    with pytest.raises(DataError, match="no column `answer`") as error:
        list(read(table(q=["a"], a=["b"]), how).items)
    assert error.value.problems[0].fix == "`read: {kind: parquet, columns: [a]}`"


@pytest.mark.parametrize("broken", ["cut off", "damaged"])
def test_broken_file_is_refused_by_row(table, broken):
    path = table(q=[str(n) * 99 for n in range(5)])
    content = bytearray(path.read_bytes())
    if broken == "damaged":
        content[content.index(b"2" * 99) + 9] ^= 1
    path.write_bytes(content[:-9] if broken == "cut off" else content)

    with pytest.raises(DataError, match="broken from row"):
        list(read(path).items)
