"""Source `sqlite`: a table of an SQLite database, opened so that nothing in it can run or change.

Only tables are read, never views, virtual tables or computed columns, whose code is the file's.
Text is given byte for byte as UTF-8; numbers keep their digits; null stays null. A row's line is
its number, from 1.

Source: https://www.sqlite.org/security.html, https://www.sqlite.org/uri.html (`immutable`).
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import Field

from foundry.core.errors import DataError, Problem
from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.data.recipe_lines import read_line
from foundry.data.rows import Bad, Item, JsonNumber, Row

SUFFIXES = (".sqlite", ".sqlite3", ".db")
UNMERGED = ("-wal", "-journal")  # files beside a database with changes that it does not have yet
TABLES = (  # a virtual table has no page of its own
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 "
    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)


class Spec(Closed):
    """Which table, and which of its columns."""

    table: str | None = Field(None, description="The table; where absent, the only one there is.")
    columns: Many[str] | None = Field(
        None, min_length=1, description="Columns to read; all of them where absent."
    )


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows of the table in the order in which they are stored.

    Raises:
        DataError: The file is broken or has changes beside it; which table is meant cannot be
            told; a column does not exist.
    """
    line = 0
    try:
        with closing(_connected(path)) as database:
            table = _table(path, database, spec)
            names = _columns(path, database, table, spec)
            database.text_factory = _text
            database.set_authorizer(_only_reading)
            for line, values in enumerate(database.execute(_query(table, names)), start=1):
                yield _item(line, dict(zip(names, values, strict=True)), spec)
    except sqlite3.DatabaseError as error:
        what = _("the database is broken from row {row} on")
        fix = _("copy or download it again")
        raise DataError(Problem(str(path), what.format(row=line + 1), fix)) from error


def describe(path: Path, spec: Spec) -> str:
    """The table."""
    try:
        with closing(_connected(path)) as database:
            return f"table {_table(path, database, spec)}"
    except sqlite3.DatabaseError as error:
        what = _("the database is broken")
        raise DataError(Problem(str(path), what, _("copy or download it again"))) from error


def _connected(path: Path) -> sqlite3.Connection:
    for suffix in UNMERGED:
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            what = _("the database has changes in {file} that are not part of it yet")
            fix = _("close the program that uses it, or copy it: sqlite3 {path} '.backup copy.db'")
            raise DataError(
                Problem(str(path), what.format(file=beside.name), fix.format(path=path))
            )
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    return database


def _table(path: Path, database: sqlite3.Connection, spec: Spec) -> str:
    tables = [name for (name,) in database.execute(TABLES)]
    found = tables if spec.table is None else [name for name in tables if name == spec.table]
    if len(found) == 1:
        return str(found[0])
    known = ", ".join(tables) or "-"
    if spec.table is not None:
        what = _("no table `{name}`; there are: {known}").format(name=spec.table, known=known)
        raise DataError(Problem(str(path), what, _("name one of them under `table`")))
    if not tables:
        fix = _("name another file as `path`; views and virtual tables are not read")
        raise DataError(Problem(str(path), _("the database has no table"), fix))
    what = _("the database has several tables: {known}").format(known=known)
    fix = read_line("sqlite", spec, table=tables[0])
    raise DataError(Problem(str(path), what, fix))


def _columns(path: Path, database: sqlite3.Connection, table: str, spec: Spec) -> list[str]:
    found = database.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,))
    stored = [name for name, hidden in found if not hidden]
    unknown = [name for name in spec.columns or () if name not in stored]
    if unknown:
        what = _("no column `{name}`; there are: {known}")
        known = ", ".join(stored)
        good = [name for name in spec.columns or () if name in stored] or stored
        fix = read_line("sqlite", spec, columns=tuple(good))
        raise DataError(
            [Problem(str(path), what.format(name=n, known=known), fix) for n in unknown]
        )
    return list(spec.columns or stored)


def _query(table: str, names: list[str]) -> str:
    quoted = ['"' + name.replace('"', '""') + '"' for name in (*names, table)]
    return f"SELECT {', '.join(quoted[:-1])} FROM {quoted[-1]}"


def _only_reading(action: int, *_arguments: str | None) -> int:
    """Let SQLite read tables and nothing else: no function, no pragma, no other database."""
    allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _text(content: bytes) -> str | UnicodeDecodeError:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error


def _item(line: int, row: Mapping[str, Any], spec: Spec) -> Item:
    values: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, bytes):
            return Bad(line, "bytes", _bytes(name, tuple(n for n in row if n != name), spec))
        if isinstance(value, UnicodeDecodeError):
            what = _("column `{name}` is not UTF-8 from byte {offset} on")
            return Bad(line, "encoding", what.format(name=name, offset=value.start))
        if isinstance(value, float) and math.isinf(value):
            what = _("`{name}` is not a JSON number").format(name="Infinity")
            return Bad(line, "not-a-number", what)
        is_number = isinstance(value, int | float)
        values[name] = JsonNumber(str(value).removesuffix(".0")) if is_number else value
    return Row(line, values)


def _bytes(name: str, others: tuple[str, ...], spec: Spec) -> str:
    if not others:
        return _("column `{name}` holds bytes").format(name=name)
    what = _("column `{name}` holds bytes; leave it out with {edit}")
    return what.format(name=name, edit=read_line("sqlite", spec, columns=others))
