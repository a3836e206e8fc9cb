"""Rows of a JSON file in whatever shape it has: the content decides, not the name (C54).

Shapes: one object a line; one array of objects; objects one after another over several lines;
one object whose key `data` holds the array. A faulty row is refused by line and reading goes on
where the end of the row is known (a line, or a value whose syntax is right); where it is not, the
file is refused at that place, since nothing after it can be trusted.

No more than a row and 1 Mi characters are in memory at once.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.encoding import open_text
from foundry.data.json_stream import JsonStream
from foundry.data.json_syntax import (
    Decoder,
    is_cut_off,
    is_open_string,
    is_space,
    repeated,
    skipped,
    syntax,
)
from foundry.data.rows import Bad, Blank, Item

WRAPPER_KEY = "data"
EXAMPLE = '{"question": "…", "answer": "…"}'
LONGEST_FIRST_LINE = 1 << 20  # characters; longer than any row, shorter than an array to fear


def read_rows(path: Path, encoding: str) -> Iterator[Item]:
    """The rows of a JSON file, lines counted from 1.

    Raises:
        DataError: Not JSON, broken where the row's end is unknown, or several arrays.
    """
    if _is_by_line(path, encoding):
        yield from _by_line(path, encoding)
        return
    wrapped = _is_wrapped(path, encoding)
    with open_text(path, encoding) as text:
        stream = JsonStream(path, text)
        if wrapped:
            for key in stream.members():
                if key == WRAPPER_KEY:
                    yield from _list(stream)
                else:
                    stream.value()
        else:
            yield from _values(stream)


def _is_by_line(path: Path, encoding: str) -> bool:
    """Whether the first written line is a row: a whole object, or one broken inside the line.

    An object that is right as far as it goes and still open at the end of its line goes on below.
    """
    with open_text(path, encoding) as text:
        first = "\n"
        while first and is_space(first):
            first = text.readline(LONGEST_FIRST_LINE)
        whole = len(first) < LONGEST_FIRST_LINE
    start = skipped(first, 0)
    if not first.startswith("{", start) or not whole:
        return False
    try:
        value, end = Decoder().value(first, start)
    except json.JSONDecodeError as error:
        return not is_cut_off(error) or is_open_string(error)
    inner = value.get(WRAPPER_KEY) if isinstance(value, dict) else None
    is_wrapper = isinstance(inner, list) and all(isinstance(item, dict) for item in inner)
    return skipped(first, end) == len(first) and not is_wrapper


def _by_line(path: Path, encoding: str) -> Iterator[Item]:
    decoder = Decoder()
    with open_text(path, encoding) as text:
        for number, line in enumerate(text, start=1):
            yield Blank(number) if is_space(line) else _line_item(decoder, line, number)


def _line_item(decoder: Decoder, line: str, number: int) -> Item:
    try:
        value, end = decoder.value(line, skipped(line, 0))
    except json.JSONDecodeError as error:
        what = _("{what} (at character {column})")
        return Bad(number, "json-syntax", what.format(what=syntax(error), column=error.colno))
    end = skipped(line, end)
    if end < len(line):
        what = _("more text after the end of the object, from character {column} on")
        return Bad(number, "json-syntax", what.format(column=end + 1))
    return decoder.item(value, number)


def _is_wrapped(path: Path, encoding: str) -> bool:
    """Whether the file is one object whose key `data` holds a list of nothing but objects.

    Raises:
        DataError: It is, and a key occurs twice; or the first object is broken.
    """
    with open_text(path, encoding) as text:
        stream = JsonStream(path, text)
        if stream.peek() != "{":
            return False
        seen: set[str] = set()
        problems: list[Problem] = []
        for key in stream.members():
            if key in seen:
                problems.append(Problem(stream.place(), repeated(key)))
            seen.add(key)
            if key != WRAPPER_KEY:
                stream.value()
                faults = stream.decoder.faults
                problems += [Problem(stream.place(), what) for _code, what in faults]
            elif not _is_list_of_objects(stream):
                return False
        if WRAPPER_KEY not in seen or stream.peek():
            return False
        if problems:
            raise DataError(problems)
        return True


def _is_list_of_objects(stream: JsonStream) -> bool:
    if stream.peek() != "[":
        return False
    return all(isinstance(stream.value()[0], dict) for _element in stream.elements())


def _values(stream: JsonStream) -> Iterator[Item]:
    """The rows of a list, or objects one after another."""
    opening = stream.peek()
    if opening == "[":
        yield from _list(stream)
        if stream.peek():
            stream.refuse(
                _("more text after the end of the list of rows; a file holds one list"),
                _("join the lists into one, or make a file of each"),
            )
    elif opening == "{":
        while stream.peek():
            value, line = stream.value()
            yield stream.decoder.item(value, line)
    elif opening:
        stream.refuse(
            _("not JSON: expected an object or a list of objects"),
            _("write each row as an object, such as {example}").format(example=EXAMPLE),
        )


def _list(stream: JsonStream) -> Iterator[Item]:
    for _element in stream.elements():
        value, line = stream.value()
        yield stream.decoder.item(value, line)
