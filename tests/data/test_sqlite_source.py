"""A table gives its rows; nothing that the database brings with it runs, and nothing is written."""

import sqlite3
from contextlib import closing

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError
from foundry.data.reading import read
from foundry.data.rows import Blank, JsonNumber, Row
from foundry.data.sources import sqlite
from tests.data.pasting import pasted


@pytest.fixture
def database(tmp_path):
    """Runs statements and gives the path: `database("CREATE TABLE t (a)", ...)`."""

    def write(*statements):
        path = tmp_path / "a b#c?.db"
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return path

    return write


TABLE = "CREATE TABLE faq (問題 TEXT, 回答)"


def items(path, **spec):
    return list(read(path, Block(kind="sqlite", spec=sqlite.Spec(**spec))).items)


def refused(path, **spec):
    with pytest.raises(DataError) as error:
        items(path, **spec)
    return error.value.problems[0]


def test_only_table_is_read_and_named(database):
    path = database(TABLE, "INSERT INTO faq VALUES ('問', '答'), ('', NULL), ('二', ' ')")

    assert read(path).encoding == "table faq"
    assert items(path) == [
        Row(1, {"問題": "問", "回答": "答"}),
        Blank(2),
        Row(3, {"問題": "二", "回答": " "}),
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("'0912345678'", "0912345678"),
        ("0912345678", JsonNumber("912345678")),
        ("9007199254740993", JsonNumber("9007199254740993")),
        ("3.0", JsonNumber("3")),
        ("0.1", JsonNumber("0.1")),
        ("'2026-01-05'", "2026-01-05"),
        ("'nan'", "nan"),
    ],
)
def test_value_is_as_stored(database, value, found):  # C48, C50
    path = database(TABLE, f"INSERT INTO faq VALUES ('問', {value})")

    assert items(path)[0].values["回答"] == found


@pytest.mark.parametrize(
    ("value", "code"),
    [("x'00ff'", "bytes"), ("CAST(x'b0dd' AS TEXT)", "encoding"), ("9e999", "not-a-number")],
)
def test_what_is_no_text_refuses_its_row(database, value, code):
    path = database(TABLE, f"INSERT INTO faq VALUES ('問', {value}), ('二', '答')")

    bad, good = items(path)

    assert (bad.line, bad.code) == (1, code)
    assert good == Row(2, {"問題": "二", "回答": "答"})
    assert items(path, columns=("問題",))[0] == Row(1, {"問題": "問"})


def test_several_tables_are_refused_and_one_can_be_named(database):
    path = database(TABLE, "CREATE TABLE b (c)", "INSERT INTO b VALUES ('x')")

    assert refused(path).fix == "`read: {kind: sqlite, table: faq}`"
    assert items(path, table="b") == [Row(1, {"c": "x"})]
    assert "there are: faq, b" in refused(path, table="a").what
    assert "there are: c" in refused(path, table="b", columns=("d",)).what


@pytest.mark.parametrize("name", ["2024", "a: b", "a, b", "a # b", "null", "]"])
def test_fix_can_be_pasted_whatever_table_and_columns_are_called(database, name):
    table = f'CREATE TABLE "{name}" ("{name}", picture)'
    path = database(table, f"""INSERT INTO "{name}" VALUES ('x', x'00')""", "CREATE TABLE b (c)")

    how = pasted(refused(path).fix)
    (bad,) = read(path, how).items

    assert list(read(path, pasted(bad.reason.partition("with ")[2])).items) == [Row(1, {name: "x"})]


def test_bytes_alone_have_no_fix(database):
    path = database("CREATE TABLE t (picture)", "INSERT INTO t VALUES (x'00')")

    assert [item.reason for item in items(path)] == ["column `picture` holds bytes"]


def test_code_of_the_file_is_not_run(database):
    path = database(
        "CREATE TABLE t (a, b GENERATED ALWAYS AS (hex(a)) VIRTUAL)",
        "INSERT INTO t (a) VALUES ('x')",
        "CREATE VIEW v AS SELECT load_extension('evil')",
        "CREATE VIRTUAL TABLE f USING fts5(c)",
        "CREATE TRIGGER w AFTER INSERT ON t BEGIN SELECT load_extension('evil'); END",
    )

    assert items(path, table="t") == [Row(1, {"a": "x"})]
    for name in ("v", "f"):
        assert f"no table `{name}`" in refused(path, table=name).what


def test_name_with_a_quote_is_only_a_name(database):
    path = database('CREATE TABLE "a"" b" ("c"" d")', """INSERT INTO "a"" b" VALUES ('x')""")

    assert items(path) == [Row(1, {'c" d': "x"})]


def test_changes_that_lie_beside_the_database_are_not_passed_over(database, tmp_path):
    path = database("PRAGMA journal_mode = WAL", TABLE)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO faq VALUES ('問', '答')")
        connection.commit()

        assert "a b#c?.db-wal" in refused(path).what

    before = sorted(tmp_path.iterdir())
    assert len(items(path)) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_broken_and_empty_databases_are_refused(database):
    path = database(TABLE, "INSERT INTO faq SELECT 'q', printf('%.*c', 9000, 'a')")
    content = path.read_bytes()

    path.write_bytes(content[:8192])
    assert "broken" in refused(path).what
    path.write_bytes(content[:200])
    assert "broken" in refused(path).what
    empty = refused(database_without_tables(path))
    assert "no table" in empty.what
    assert "`path`" in empty.fix


def database_without_tables(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    return path


def test_unknown_column_is_told_with_what_to_write(database):
    path = database("CREATE TABLE t (a, b)", "INSERT INTO t VALUES ('x', 'y')")

    some = refused(path, columns=["b", "c"])
    none = refused(path, columns=["c"])

    assert some.what == "no column `c`; there are: a, b"
    assert some.fix == "`read: {kind: sqlite, columns: [b]}`"
    assert none.fix == "`read: {kind: sqlite, columns: [a, b]}`"
