"""What names the machine or its user, how records are freed of it, and the search for what is left.

A package is handed to others. No absolute path, user, home folder, host or access token may be in
any of its files, metadata headers included (C43, C78).
"""

import getpass
import html
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from foundry.core import secrets
from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.core.yaml_places import scalars_in
from foundry.delivery import sums
from foundry.models import gguf_header

# Quote the user's rows and the models' answers, where a path may be a fact of the trade.
QUOTING = re.compile(r"foundry/(report.*|mask_report\.json)")
# A vocabulary has `/home` and `root` among its words; it is the base's own and holds nothing else.
VOCABULARY = re.compile(r"(.*/)?(vocab\.(json|txt)|merges\.txt|tokenizer\.model|spiece\.model)")
TOKENIZER = "tokenizer.json"
# Of these only the metadata are searched. safetensors 0.8 takes headers of up to 100 MB.
WEIGHTS = (".gguf", ".safetensors")
MAX_HEADER_BYTES = 100_000_000
VOCABULARY_KEYS = ("model", "added_tokens")
# Folders that hold people's own or passing files, wherever they stand in a text.
OWN_FOLDER = re.compile(
    r"(?<![\w./:-])(?:file://)?(?:/home/|/Users/|/root/|/tmp/|/var/folders/|[A-Za-z]:\\+Users\\+)"
    r"[^\s\"'`<>()]+"
)
# The shortest name, and one with a digit or a sign, that is looked for inside other words.
UNIQUE_NAME = re.compile(r"(?=.{5,})(?=.*[^A-Za-z]).*")
# Names of users and hosts that are also ordinary words of a JSON file.
ORDINARY = {
    *("root", "user", "admin", "administrator", "ubuntu", "debian", "runner", "localhost", "host"),
    *("model", "data", "train", "test", "base", "system", "assistant", "home", "work"),
}


@dataclass(frozen=True)
class Private:
    """This machine's folders and names; `paths` maps a path to what may stand in its place.

    None of either where a package is not of this machine.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()


def of_this_machine(plan: Plan, run: Path) -> Private:
    """The folders that a record of this run can mention, and the names of user and host."""
    replaced = {
        **{path: PureWindowsPath(path).name for path in _absolute_texts(plan.as_dict())},
        plan.base.folder: plan.base.name,
        str(run.absolute()): "run",
    }
    for folder in (Path.cwd(), Path.home()):
        replaced.setdefault(str(folder), "…")
    longest_first = sorted(replaced, key=len, reverse=True)
    paths = {path: replaced[path] for path in longest_first if len(path) > 1}
    declared = set(_all_texts(plan.values))  # a person who signs with the login's name means to
    names = sorted({getpass.getuser(), platform.node()} - declared - {""})
    return Private(paths, tuple(names))


def _absolute_texts(value: Any) -> Iterator[str]:
    return filter(is_absolute, _all_texts(value))


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _all_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _all_texts(item)


def is_absolute(text: str) -> bool:
    """Whether a whole value is an absolute path with at least two parts, POSIX or Windows."""
    if "\n" in text or len(text) > 4096:
        return False
    parts = PurePosixPath(text).parts
    is_posix = text.startswith("/") and len(parts) > 2 and " " not in parts[1]
    is_windows = re.match(r"[A-Za-z]:[\\/]+\w|\\\\\w", text) is not None
    return is_posix or is_windows or text.startswith(("~/", "file:///"))


def freed(text: str, private: Private) -> str:
    """`text` with each private path, also as JSON or HTML writes it, replaced by its name."""
    for path, name in private.paths.items():
        for form in {path, json.dumps(path)[1:-1], json.dumps(path, ensure_ascii=False)[1:-1]}:
            text = _replace(text, form, name)
        text = _replace(text, html.escape(path), name)
    return text


def _replace(text: str, path: str, name: str) -> str:
    """Replace `path` where it is a whole path or the head of one, not inside a longer name."""
    return re.sub(rf"(?<![\w./\\]){re.escape(path)}(?![\w-])", lambda _m: name, text)


def findings(package: Path, private: Private) -> list[Problem]:
    """Every private thing in the files of `package`; each problem names file and kind."""
    problems = []
    for name in sorted(sums.walk(package)[0]):
        path = package / name
        if path.suffix not in WEIGHTS:
            text = path.read_bytes().decode("utf-8", errors="replace")
            problems += _tokens(text, name)
        if VOCABULARY.fullmatch(name):
            continue
        try:
            for where, text in _texts(path, name):
                problems += [Problem(where, *said) for said in _found(text, where, name, private)]
        except ProofError as error:
            problems += [replace(problem, where=name) for problem in error.problems]
    return list(dict.fromkeys(problems))


def _tokens(text: str, where: str) -> Iterator[Problem]:
    for line, column in secrets.find(text)[:1]:
        what = _("holds what looks like an access token (line {line}, column {column})")
        yield Problem(where, what.format(line=line, column=column), _fix())


def _fix() -> str:
    return _("remove it from the recipe or the file it comes from, and make the package again")


def _texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """What a file says, in pieces with a place each.

    Raises:
        ProofError: It is not of the form its name says.
    """
    if path.suffix == ".gguf":
        for key, text in gguf_header.texts(path).items():
            yield f"{name}: {key}", text
    elif path.suffix == ".safetensors":
        with path.open("rb") as stream:
            size = min(int.from_bytes(stream.read(8), "little"), MAX_HEADER_BYTES)
            header = stream.read(size)
        yield f"{name}: __metadata__", header.decode("utf-8", errors="replace")
    elif path.name == TOKENIZER:
        values = _json(path.read_text(encoding="utf-8", errors="replace"))
        if not isinstance(values, dict):
            raise ProofError(Problem(name, _("not JSON ({error})").format(error=name)))
        kept = {key: value for key, value in values.items() if key not in VOCABULARY_KEYS}
        yield name, json.dumps(kept, ensure_ascii=False)
    else:
        yield name, path.read_bytes().decode("utf-8", errors="replace")


def _json(text: str) -> Any:
    """A JSON value; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _found(text: str, where: str, name: str, private: Private) -> Iterator[tuple[str, str]]:
    for path in private.paths:
        if _replace(text, path, "") != text or _replace(text, json.dumps(path)[1:-1], "") != text:
            yield _("holds a path of this machine ({found})").format(found=path), _fix()
            break
    for word in private.names:
        if _names(text, word):
            what = _("holds the name of this machine or its user ({found})")
            yield what.format(found=word), _fix()
    if where != name:  # metadata of weights, which are not searched as a whole
        yield from ((problem.what, _fix()) for problem in _tokens(text, where))
    if not QUOTING.fullmatch(name):
        for path in _absolute(text, Path(where).suffix):
            yield _("holds an absolute path ({found})").format(found=path), _fix()


def _absolute(text: str, suffix: str) -> Iterator[str]:
    if suffix == ".json":
        yield from _absolute_texts(_json(text))
    elif suffix in (".yaml", ".yml"):
        yield from filter(is_absolute, scalars_in(text))
    elif is_absolute(text):
        yield text
    yield from (match.group() for match in OWN_FOLDER.finditer(text))


def _names(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as a name: part of a path or address, or a whole value.

    A name with a digit or a sign (`vm-4711`) is looked for everywhere; a plain word such as
    `root` also means other things.
    """
    name = re.escape(word)
    if UNIQUE_NAME.fullmatch(word):
        return re.search(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])", text) is not None
    whole = "" if word.lower() in ORDINARY else f'|"{name}"'
    pattern = rf"[/\\]{name}[/\\]|\b{name}@\w|\w@{name}\b{whole}"
    return re.search(pattern, text) is not None
