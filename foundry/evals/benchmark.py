"""A benchmark and its data: what is asked, which worked examples are shown, in which words.

A benchmark is a file in `foundry/evals/benchmarks/`. It has `version`, `TITLE`, `FILES` (names of
its files in a folder), `METHOD`, `SHOTS` (worked examples where nothing else is said), `EVALS` (its
evaluators) and `read(path)`, the examples of one file. `METHOD` says what is asked of a model:

- `generate`: a greedy answer of at most `MAX_NEW_TOKENS`, ended by a text of `STOP`;
- `options`: which of `OPTIONS`, or of the first `OPTION_COUNT` of them, is likeliest; with
  `option_texts(example)`, the texts of that example's options stand for them;
- `text`: how likely each example's text is.

The first two have `LABELS` and `instruction(examples)`, which stands before every prompt. `version`
goes up with every change of what is asked or how it is scored.

A benchmark without `FILES` brings its own questions and needs no data: in place of `read`, `LABELS`
and `instruction` it has `items(limit)`, `text(example, few_shot)` and `turns(example, few_shot)`,
`CHAT_SHOTS` (worked examples in a conversation) and `MOST_SHOTS`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from foundry.core import atomic, plugins
from foundry.core.blocks import Block, Plugin
from foundry.core.errors import DataError, Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Example, Turn
from foundry.data.reading import read
from foundry.data.rows import Bad, Row, RowError
from foundry.evals.answers import Item
from foundry.evals.prompts import Labels, few_shot_text
from foundry.evals.wording import Text

# Worked examples are taken from the shortest tenth, so that prompts stay short.
SHORT = 10
OPTION_COUNT = "options"
"""The field of an example that says how many of `OPTIONS` it has; all where it is absent."""


@dataclass(frozen=True)
class Wanted:
    """What a person chose: how many items (None: all), worked examples (None: the benchmark's
    own number), the seed that draws both, and whether each model's chat template is applied."""

    limit: int | None = None
    few_shot: int | None = None
    seed: int = 0
    chat: bool = False


@dataclass(frozen=True)
class Task:
    """Something to ask of every model, with its items drawn.

    Args:
        name: Of its folder and in messages.
        title: For the report, per language.
        method: `generate`, `options` or `text`.
        form: `chat` where each model's own template is applied, else `text`.
        items: What is asked.
        evals: The evaluators.
        text: The prompt of an example as plain text.
        turns: The prompt of an example as a conversation.
        template: What the plain text has in common; recorded.
        said: What makes two askings the same (C28).
        system: The system text of the conversations, if any.
        options: What `options` chooses from.
        option_texts: The texts of an example's options, where those are weighed, not `options`.
        max_new_tokens: The longest answer.
        stop: Texts that end an answer.
        part_titles: Titles of the parts of the items, where they have any.
    """

    name: str
    title: Text
    method: str
    form: str
    items: tuple[Item, ...]
    evals: Sequence[Block]
    text: Callable[[Example], str]
    turns: Callable[[Example], Sequence[Turn]]
    template: str
    said: Mapping[str, Any]
    system: str | None = None
    options: tuple[str, ...] = ()
    max_new_tokens: int = 0
    stop: tuple[str, ...] = ()
    option_texts: Callable[[Example], Sequence[str]] | None = None
    part_titles: Mapping[str, Text] = field(default_factory=dict)


def needs_data(name: str) -> bool:
    """Whether a benchmark asks what a file holds.

    Raises:
        RecipeError: No such benchmark.
    """
    return bool(plugins.load("benchmark", name).FILES)


def own_task(name: str, wanted: Wanted) -> Task:
    """A benchmark that brings its own questions.

    Raises:
        RecipeError: More worked examples are wanted than it has.
    """
    module = plugins.load("benchmark", name)
    usual = module.CHAT_SHOTS if wanted.chat else module.SHOTS
    few_shot = usual if wanted.few_shot is None else wanted.few_shot
    if few_shot > module.MOST_SHOTS:
        what = _("`{name}` has {most} worked examples; got {n}")
        what = what.format(name=name, most=module.MOST_SHOTS, n=few_shot)
        raise RecipeError(Problem("--few-shot", what, f"--few-shot {module.MOST_SHOTS}"))
    said = {
        "name": name,
        "version": module.version,
        "method": module.METHOD,
        "evaluators": [dict(entry) for entry in module.EVALS],
        "few_shot": few_shot,
    }
    return Task(
        name=name,
        title=module.TITLE,
        method=module.METHOD,
        form="chat" if wanted.chat else "text",
        items=tuple(module.items(wanted.limit)),
        evals=evaluators_of(module),
        text=lambda example: str(module.text(example, few_shot)),
        turns=lambda example: list(module.turns(example, few_shot)),
        template="",
        said=said,
        max_new_tokens=module.MAX_NEW_TOKENS,
        stop=module.STOP,
    )


def load_task(name: str, data: Path, wanted: Wanted) -> Task:
    """A benchmark of a file with its items drawn.

    Items and worked examples are drawn by hash with the seed, so that a smaller `limit` asks some
    of the questions of a larger one. A group that lends a worked example is not asked about.

    Args:
        name: Of the benchmark.
        data: A file, or a folder with files of the benchmark's names.
        wanted: What was chosen.

    Raises:
        RecipeError: No such benchmark.
        ResourceError: No such file, or none of its names in the folder.
        DataError: A row cannot be used, or no row is left to ask.
    """
    module = plugins.load("benchmark", name)
    paths = _files(module, name, data)
    names = _names(paths, data)
    pool = [_item(example, path, names[path]) for path in paths for example in module.read(path)]
    few_shot = module.SHOTS if wanted.few_shot is None else wanted.few_shot
    is_text = module.METHOD == "text"
    order = sorted(pool, key=lambda item: draw(wanted.seed, item.example.id))
    shots = [] if is_text else _shots([item.example for item in order], few_shot)
    lent = {shot.group for shot in shots}
    asked = [item for item in order if item.example.group not in lent][: wanted.limit]
    if not asked:
        what = _("no row is left to ask")
        raise DataError(Problem(str(data), what, _("give a file with more rows")))
    chosen = {item.example.id for item in asked}
    items = tuple(item for item in pool if item.example.id in chosen)
    said = {
        "name": name,
        "version": module.version,
        "method": module.METHOD,
        "evaluators": [dict(entry) for entry in module.EVALS],
        "few_shot": len(shots),
        "shots": [shot.id for shot in shots],
        "files": {f"{names[path]}{path.suffix}": atomic.sha256(path) for path in paths},
    }
    evals = evaluators_of(module, [item.example for item in pool])
    if is_text:
        return Task(name, module.TITLE, "text", "text", items, evals, _text, _no_turns, "", said)
    words = Words(module.instruction([i.example for i in pool]), tuple(shots), module.LABELS)
    return Task(
        name=name,
        title=module.TITLE,
        method=module.METHOD,
        form="chat" if wanted.chat else "text",
        items=items,
        evals=evals,
        text=words.text,
        turns=words.turns,
        template=words.instruction,
        said=said,
        options=tuple(plugins.optional(module, "OPTIONS") or ()),
        max_new_tokens=plugins.optional(module, "MAX_NEW_TOKENS") or 0,
        stop=tuple(plugins.optional(module, "STOP") or ()),
        option_texts=plugins.optional(module, "option_texts"),
    )


@dataclass(frozen=True)
class Words:
    """The words around a question: what is to be done, worked examples, labels."""

    instruction: str
    shots: tuple[Example, ...]
    labels: Labels

    def text(self, example: Example) -> str:
        """The prompt as plain text: instruction, worked examples, the question, a label."""
        return f"{self.instruction}\n\n{few_shot_text(self.shots, example, self.labels)}"

    def turns(self, example: Example) -> list[Turn]:
        """The prompt as a conversation: the instruction in front of its first turn."""
        before = [turn for shot in self.shots for turn in shot.messages]
        first, *rest = [*before, *example.prompt]
        return [Turn(first.role, f"{self.instruction}\n\n{first.content}"), *rest]


def _text(example: Example) -> str:
    return example.text


def _no_turns(example: Example) -> list[Turn]:
    return []


def evaluators_of(module: ModuleType, pool: Sequence[Example] = ()) -> list[Block]:
    """The evaluators of a benchmark; some want to know all its rows, drawn or not."""
    own = plugins.optional(module, "evals")
    entries = own(pool) if own and pool else module.EVALS
    return [Plugin("evaluator").read(entry) for entry in entries]


def rows(path: Path, kind: str) -> Iterator[Row]:
    """The rows of a file of a known kind.

    Raises:
        DataError: A row cannot be read; names its line.
    """
    how = Block(kind=kind, spec=plugins.load("source", kind).Spec())
    for item in read(path, how).items:
        if isinstance(item, Bad):
            raise DataError(Problem(f"{path}:{item.line}", item.reason))
        if isinstance(item, Row):
            yield item


@contextmanager
def show_row(path: Path, row: Row) -> Iterator[None]:
    """Name the line of a row that cannot be used.

    Raises:
        DataError: A column is missing, or what it holds cannot be used.
    """
    try:
        yield
    except RowError as error:
        raise DataError(Problem(f"{path}:{row.line}", error.reason)) from error
    except KeyError as error:
        what = _("no field `{field}`; the row has: {found}")
        what = what.format(field=error.args[0], found=", ".join(row.values))
        raise DataError(Problem(f"{path}:{row.line}", what)) from error


def _files(module: ModuleType, name: str, data: Path) -> list[Path]:
    if data.is_file():
        return [data]
    if not data.exists():
        raise ResourceError(Problem(str(data), _("no such file or folder"), _("check the path")))
    for pattern in module.FILES:
        if found := sorted(path for path in data.rglob(pattern) if path.is_file()):
            return found
    what = _("no file of `{name}` in the folder (looked for: {patterns})")
    patterns = ", ".join(module.FILES)
    fix = _("give the file itself as `--data`")
    raise ResourceError(Problem(str(data), what.format(name=name, patterns=patterns), fix))


def _names(paths: Sequence[Path], data: Path) -> dict[Path, str]:
    """What each file's questions are called by: its stem, or its place where two have one.

    Raises:
        DataError: Two files cannot be told apart.
    """
    stems = Counter(path.stem for path in paths)
    names = {
        path: path.stem if stems[path.stem] == 1 else _place(path, data).replace("/", "-")
        for path in paths
    }
    twice = [path for path, name in names.items() if list(names.values()).count(name) > 1]
    if twice:
        what, fix = _("another file has the same name"), _("give each file a name of its own")
        raise DataError([Problem(str(path), what, fix) for path in twice])
    return names


def _place(path: Path, data: Path) -> str:
    return path.relative_to(data).with_suffix("").as_posix()


def _item(example: Example, path: Path, name: str) -> Item:
    """An item under its file's name, which is its stem in what a benchmark reads."""

    def renamed(key: str) -> str:
        return f"{name}{key.removeprefix(path.stem)}" if key.startswith(path.stem) else key

    if name == path.stem:
        return Item(example, name)
    said = {"id": renamed(example.id), "group": renamed(example.group)}
    return Item(replace(example, **said, source=f"{name}{path.suffix}"), name)


def draw(seed: int, key: str) -> str:
    """The place of an item in the order in which a seed draws items."""
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def _shots(order: Sequence[Example], count: int) -> list[Example]:
    """The first `count` of the drawn order among the shortest, each of another group."""
    if not count or not order:
        return []
    sizes = sorted(len(example.prompt[0].content) for example in order)
    most = sizes[min(len(sizes) - 1, max(count, len(sizes) // SHORT))]
    shots: dict[str, Example] = {}
    for example in order:
        if len(shots) < count and len(example.prompt[0].content) <= most:
            shots.setdefault(example.group, example)
    return list(shots.values())
