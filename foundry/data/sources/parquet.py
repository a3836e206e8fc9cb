"""Source `parquet`: a table of typed columns, read a batch of rows at a time.

Text stays as it is, numbers keep their digits, dates are written as `dates.py` says. Null stays
null, and so does NaN, which is how pandas writes a number that is missing. Lists and structs keep
their shape; a map becomes an object. A row's line is its number, from 1.

Source: https://parquet.apache.org/docs/file-format/.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.fields import Closed, Many
from foundry.core.language import gettext as _
from foundry.data.dates import iso
from foundry.data.recipe_lines import read_line
from foundry.data.rows import Bad, Item, JsonNumber, Row

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetFile

SUFFIXES = (".parquet",)
BATCH_ROWS = 512
BUFFER_BYTES = 1 << 20  # of a column; without it, pyarrow reads a whole row group ahead

Convert = Callable[[Any], Any]


class Spec(Closed):
    """Which columns are read."""

    columns: Many[str] | None = Field(
        None, min_length=1, description="Columns to read; all of them where absent."
    )


def open(path: Path, spec: Spec) -> Iterator[Item]:
    """The rows of the table in order.

    Raises:
        ResourceError: pyarrow is not installed.
        DataError: The file is broken, or a column does not exist or holds no text, number or date.
    """
    pyarrow = _pyarrow()
    line = 1
    try:
        with _file(path) as table:
            convert = _converters(path, table.schema_arrow, spec)
            for batch in table.iter_batches(BATCH_ROWS, columns=list(convert)):
                for row in batch.to_pylist():
                    yield _item(row, convert, line)
                    line += 1
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        what = _("the Parquet file is broken from row {row} on").format(row=line)
        raise DataError(Problem(str(path), what, _("copy or download it again"))) from error


def describe(path: Path, spec: Spec) -> str:
    """How text is stored; in Parquet always as UTF-8."""
    return "utf-8"


def _item(row: Mapping[str, Any], convert: Mapping[str, Convert], line: int) -> Item:
    try:
        return Row(line, {name: convert[name](value) for name, value in row.items()})
    except OverflowError:
        what = _("`{name}` is not a JSON number").format(name="Infinity")
        return Bad(line, "not-a-number", what)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        what, fix = _("the package is not installed"), "pip install 'ai-foundry[train]'"
        raise ResourceError(Problem("pyarrow", what, fix)) from error
    return pyarrow


def _file(path: Path) -> "ParquetFile":
    from pyarrow.parquet import ParquetFile

    return ParquetFile(
        path, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True
    )


def _converters(path: Path, schema: "pyarrow.Schema", spec: Spec) -> dict[str, Convert]:
    """For each column to read, what makes JSON's values of its own."""
    names = schema.names if spec.columns is None else spec.columns
    found = {name: _converter(schema.field(name).type) for name in names if name in schema.names}
    what, known = _("no column `{name}`; there are: {known}"), ", ".join(schema.names)
    good = tuple(name for name, convert in found.items() if convert is not None)
    every = _("leave `columns` out, or name columns that there are")
    fix = read_line("parquet", spec, columns=good) if good else every
    problems = [
        Problem(str(path), what.format(name=name, known=known), fix)
        for name in names
        if name not in found
    ]
    none = _("write the table again with its text, numbers or dates in columns of their own")
    for name, convert in found.items():
        if convert is None:
            what = _("column `{name}` holds {type}, which is no text, number or date")
            what = what.format(name=name, type=schema.field(name).type)
            fix = read_line("parquet", spec, columns=good) if good else none
            problems.append(Problem(str(path), what, fix))
    if problems:
        raise DataError(problems)
    return {name: convert for name, convert in found.items() if convert is not None}


def _converter(kind: "pyarrow.DataType") -> Convert | None:
    """What makes a JSON value of a value of this type; None for bytes and the like."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _converter(kind.value_type)
    if types.is_struct(kind) or types.is_map(kind) or _is_list(kind):
        return _nested(kind)
    tests: tuple[tuple[Callable[[Any], bool], Convert], ...] = (
        (types.is_null, str),
        (types.is_boolean, bool),
        (lambda k: types.is_string(k) or types.is_large_string(k) or types.is_string_view(k), str),
        (types.is_integer, lambda value: JsonNumber(str(value))),
        (types.is_decimal, lambda value: JsonNumber(f"{value:f}")),
        (types.is_float64, lambda value: _number(value, repr)),
        (types.is_floating, lambda value: _number(value, _shortest)),
        (lambda k: types.is_date(k) or types.is_timestamp(k) or types.is_time(k), iso),
    )
    convert = next((convert for test, convert in tests if test(kind)), None)
    return convert and _or_null(convert)


def _nested(kind: "pyarrow.DataType") -> Convert | None:
    from pyarrow import types

    if types.is_struct(kind):
        fields = {field.name: _converter(field.type) for field in kind}
        if None in fields.values():
            return None
        return _or_null(lambda value: {name: fields[name](value[name]) for name in fields})
    inner = _converter(kind.item_type if types.is_map(kind) else kind.value_type)
    if inner is None:
        return None
    if types.is_map(kind):
        return _or_null(lambda value: {str(key): inner(item) for key, item in value})
    return _or_null(lambda value: [inner(item) for item in value])


def _is_list(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view)
    return any(test(kind) for test in tests)


def _or_null(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _number(value: float, text: Callable[[float], str]) -> JsonNumber | None:
    """The number as text; a whole one without a point, since pandas makes 3 into 3.0 (C48)."""
    if math.isinf(value):
        raise OverflowError
    return None if math.isnan(value) else JsonNumber(text(value).removesuffix(".0"))


def _shortest(value: float) -> str:
    """The fewest digits that give the same number of 32 bits: 0.1, not 0.10000000149011612."""
    packed = struct.pack("f", value)
    texts = (f"{value:.{digits}g}" for digits in range(1, 9))
    return next((t for t in texts if struct.pack("f", float(t)) == packed), f"{value:.9g}")
