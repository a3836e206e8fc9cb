"""Numbers on cards: each is drawn from a JSON file of the package, and can be drawn from it again.

A card's template gets no plain values but `Found` ones, which know their file and path. `Writer`
puts them into the text and keeps account; a digit that came from elsewhere stops the build.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import Record
from foundry.delivery.json_path import step
from foundry.evals.wording import percent, points

NAME = "claims.json"
SCHEMA_VERSION = 1
UNKNOWN = "–"
# Around a value while a card is being made: noncharacters, which no text has (Unicode 17, 23.7).
OPEN, CLOSE = "\ufdd0", "\ufdd1"
DIGIT = re.compile(r"\d")
# A word with a digit in the wording of a template, such as `NF4`, and all there are.
WORD = re.compile(r"[A-Za-z-]*\d[A-Za-z\d.]*%?")
WORDING = {"NF4", "SHA-256", "SHA256SUMS"}

Json = Mapping[str, Any]


def _plain(value: Any) -> str:
    return str(value)


def _cell(value: Any) -> str:
    """As it may stand in one line and in a cell of a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")


def _flat(value: Any) -> str:
    """A record in one line, its keys beside its values."""
    if not isinstance(value, Mapping):
        return _cell(value)
    return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())


# How a value is shown: by its name in `claims.json`.
SHOWN: Mapping[str, Callable[[Any], str]] = {
    "as it is": _plain,
    "one line": _cell,
    "lower case": lambda value: str(value).lower(),
    "percentage points, 1 decimal": points,
    "signed percentage points, 1 decimal": lambda value: points(value, signed=True),
    "percent, 1 decimal": percent,
    "4 decimals": lambda value: str(round(value, 4)),
    "1 decimal": lambda value: f"{value:.1f}",
    "3 significant digits": lambda value: f"{float(f'{value:.3g}'):g}",
    "how many": lambda value: str(len(value)),
    "keys and values": _flat,
}
# How the front matter shows what YAML must write in its own way; read back, it is the value.
YAML = "yaml"


def shown(rule: str, value: Any) -> str:
    """`value` as a card shows it, as it is where there is no such rule; a dash where unknown."""
    text = UNKNOWN if value is None else SHOWN.get(rule, _plain)(value)
    return text.replace(OPEN, "\ufffd").replace(CLOSE, "\ufffd")


class Found:
    """A value of a JSON file of the package: indexed like the file itself, and true like it.

    Attributes:
        _file: The file's name in the package.
        _path: Where the value stands in it, as JSONPath (RFC 9535) with one result.
        _value: The value.
        _rule: How it is shown.
    """

    __slots__ = ("_file", "_path", "_rule", "_value")

    def __init__(self, file: str, value: Any, path: str = "$", rule: str = "as it is") -> None:
        self._file, self._value, self._path, self._rule = file, value, path, rule

    def __getitem__(self, key: str | int) -> "Found":
        return Found(self._file, self._value[key], self._path + step(key))

    def __iter__(self) -> Iterator["Found"]:
        keys = self._value if isinstance(self._value, Mapping) else range(len(self._value))
        return (self[key] for key in keys)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == (other._value if isinstance(other, Found) else other))

    def __hash__(self) -> int:
        return hash((self._file, self._path))

    def __str__(self) -> str:
        return shown(self._rule, self._value)


def plain(found: Found) -> Any:
    """The value alone."""
    return found._value


def has(found: Found, key: str) -> bool:
    """Whether a mapping has a key with a value."""
    return found._value.get(key) is not None


def by(found: Found, rule: str) -> Found:
    """The same value, shown by a rule of `SHOWN`; the filter `by` of templates."""
    return Found(found._file, found._value, found._path, rule)


@dataclass(frozen=True)
class Claim(Record):
    """A number on a card, or a text that holds one, and what it rests on.

    Attributes:
        file, line, column: Where it stands; the first line and column are 1.
        text: As it stands there.
        evidence, path: The file and the JSON path of the value it is drawn from.
        value: That value.
        shown: How the text was made of it, a name of `SHOWN` or `yaml`.
    """

    file: str
    line: int
    column: int
    text: str
    evidence: str
    path: str
    value: Any
    shown: str


@dataclass(frozen=True)
class Wording(Record):
    """A word with a digit that belongs to the wording of the template, such as `NF4`."""

    file: str
    line: int
    column: int
    text: str


@dataclass
class Writer:
    """Writes one card and remembers, in their order, the values with a digit that it shows."""

    file: str
    found: list[Found] = field(default_factory=list)

    def show(self, value: Any) -> str:
        """A value as text, kept account of if it has a digit; Jinja calls it for each.

        Raises:
            ProofError: It has a digit, and is from no file of the package.
        """
        if isinstance(value, list | tuple):
            return "".join(map(self.show, value))
        text = str(value)
        if not DIGIT.search(text):
            return text
        if not isinstance(value, Found):
            what = _("a number without evidence: it is from no file of the package ({text})")
            fix = _("take it from a JSON file of the package, as `Found` gives it")
            raise ProofError(Problem(self.file, what.format(text=text), fix))
        self.found.append(value)
        return f"{OPEN}{text}{CLOSE}"

    def render(self, template: Path, values: Mapping[str, Any]) -> str:
        """A template with its values marked."""
        from jinja2 import Environment, StrictUndefined

        environment = Environment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            finalize=self.show,
        )
        environment.filters.update(by=by, has=has)
        text = environment.from_string(template.read_text(encoding="utf-8")).render(values)
        return text.rstrip() + "\n"

    def settle(self, marked: str) -> tuple[str, list[Claim], list[Wording]]:
        """The text without its marks, and where each claim and each word of wording stands.

        Raises:
            ProofError: The template itself has a word with a digit that `WORDING` lacks.
        """
        claims, wording, made = list[Claim](), list[Wording](), list[str]()
        line = column = 1
        values = iter(self.found)
        for piece in re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", marked):
            text = piece.strip(OPEN + CLOSE)
            if piece.startswith(OPEN):
                claims.append(_claim(self.file, line, column, text, next(values)))
            else:
                wording += list(_wording(self.file, line, column, text))
            made.append(text)
            line, column = after(line, column, text)
        return "".join(made), claims, wording


def after(line: int, column: int, text: str) -> tuple[int, int]:
    """The place behind a text that begins at `line` and `column`."""
    breaks = text.count("\n")
    return (line + breaks, len(text) - text.rfind("\n")) if breaks else (line, column + len(text))


def _claim(file: str, line: int, column: int, text: str, found: Found) -> Claim:
    return Claim(file, line, column, text, found._file, found._path, found._value, found._rule)


def _wording(file: str, line: int, column: int, text: str) -> Iterator[Wording]:
    for match in WORD.finditer(text):
        place = after(line, column, text[: match.start()])
        if match.group() not in WORDING:
            what = _("a number without evidence stands in the template ({text})")
            fix = _("take it from a file of the package, or add the word to `WORDING`")
            raise ProofError(Problem(f"{file}:{place[0]}", what.format(text=match.group()), fix))
        yield Wording(file, *place, match.group())
