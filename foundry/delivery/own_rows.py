"""How likely the test rows of a run, a package or a recipe are to a model, answer by answer.

An answer's likelihood is asked after its question: in plain text with labels, or with `--chat` in
each model's own template, with the recipe's system text in front. A row without a question is read
from its beginning, as a text file is. A row whose answer is tool calls alone is left out, for each
family writes them in its own form.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.load import load_recipe
from foundry.data.prepare import prepare, read_examples
from foundry.delivery import handed_over
from foundry.delivery.handed_over import LEARNED, HandedOver, with_system
from foundry.evals.answers import Item
from foundry.evals.benchmark import Task, Wanted, draw, evaluators_of
from foundry.evals.benchmarks import perplexity
from foundry.evals.prompts import Labels, few_shot_text
from foundry.evals.wording import Text

NAME = "perplexity"


@dataclass(frozen=True)
class Rows:
    """Test rows by part, and what a conversation of theirs begins with."""

    name: str
    items: Sequence[Item]
    system: str | None
    titles: Mapping[str, Text]


def is_rows(data: Path) -> bool:
    """Whether a path is a run, a package or a recipe, and not a text file."""
    return data.suffix in (".yaml", ".yml") or (
        data.is_dir() and handed_over.find(data) is not None
    )


def likelihood_task(data: Path, wanted: Wanted) -> Task:
    """The test rows of a run, a package or a recipe, as texts whose likelihood is asked.

    Args:
        data: The folder of a run or package, or the file of a recipe.
        wanted: How many rows, drawn with which seed, and whether templates are applied.

    Raises:
        FoundryError: The recipe or its data cannot be used.
        ResourceError: The rows are not on this machine.
        DataError: There are no test rows.
    """
    found = handed_over.find(data) if data.is_dir() else None
    rows = _of_recipe(data) if found is None else _handed_over(found)
    texts = [item for item in rows.items if item.example.answer]
    order = sorted(texts, key=lambda item: draw(wanted.seed, item.example.id))
    chosen = {item.example.id for item in order[: wanted.limit]}
    if not chosen:
        what, fix = _("it has no test rows"), _("name test parts under `data.tests`")
        raise DataError(Problem(str(data), what, fix))
    return Task(
        name=NAME,
        title=perplexity.TITLE,
        method=perplexity.METHOD,
        form="chat" if wanted.chat else "text",
        items=tuple(_text(item) for item in texts if item.example.id in chosen),
        evals=evaluators_of(perplexity),
        text=lambda example: few_shot_text([], example, Labels()),
        turns=partial(with_system, system=rows.system),
        template="",
        said=_said(rows),
        system=rows.system,
        part_titles=rows.titles,
    )


def _said(rows: Rows) -> dict[str, Any]:
    evals = [dict(entry) for entry in perplexity.EVALS]
    about = {"name": NAME, "version": perplexity.version, "method": perplexity.METHOD}
    return {**about, "evaluators": evals, "rows_of": rows.name}


def _text(item: Item) -> Item:
    """The row with its answer as the text that is scored."""
    return replace(item, example=replace(item.example, text=item.example.answer))


def _handed_over(found: HandedOver) -> Rows:
    titles = handed_over.part_titles(found)
    return Rows(
        found.name, handed_over.test_items(found, None), found.values["encode"]["system"], titles
    )


def _of_recipe(path: Path) -> Rows:
    loaded = load_recipe(path)
    recipe = loaded.recipe
    with tempfile.TemporaryDirectory(prefix="foundry-") as folder:
        out = Path(folder) / "data"
        manifest = prepare(recipe.data, folder=loaded.path.parent, out=out)
        items = [
            Item(example, part.name)
            for part in manifest.parts
            if part.name not in LEARNED
            for example in read_examples(out.parent / part.file)
        ]
    titles = {
        test.name: test.title.model_dump(by_alias=True)
        for test in recipe.data.tests
        if test.title is not None
    }
    return Rows(recipe.name, items, recipe.encode.system, titles)
