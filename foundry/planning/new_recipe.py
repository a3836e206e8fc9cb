"""Write the shortest recipe for a data file: what a default says is left out."""

import glob
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import scalars, unwritten
from foundry.core.errors import DataError, LicenceError, Problem
from foundry.core.language import gettext as _
from foundry.core.load import load_text
from foundry.core.recipe import GENERAL
from foundry.core.use import BaseOrigin
from foundry.data.glimpse import SAMPLE_ITEMS, Glimpse, glimpse
from foundry.data.guess import UndecidedError
from foundry.data.places import HUB, expand, opened
from foundry.models import catalogue, names
from foundry.models.at_hand import at_hand
from foundry.models.terms import of_base
from foundry.planning.advice import Advice, advise
from foundry.planning.dry_render import light_encoder
from foundry.policy import licence as policy
from foundry.policy.conflicts import begins_with, conflicts, slug
from foundry.policy.use import Bound, Use, binding

EXAMPLE = "{kind: question-answer, question: …, answer: …}"
UNKNOWN = "unknown"
SHOWN = 3  # refused rows told where none can be used


@dataclass(frozen=True)
class Wanted:
    """What a person says; `data` is the path as the recipe writes it, relative to `out`.

    `base` is as a person named it, a folder as seen from the working folder. `format` and `name`
    are None where not chosen.
    """

    data: str
    out: Path
    base: str
    licence: str
    basis: str
    by: str
    purpose: str = GENERAL
    name: str | None = None
    format: Mapping[str, Any] | None = None

    @property
    def base_model(self) -> str:
        """`base` as the recipe names it: a folder by its path from there, unless it is absolute."""
        folder = names.folder_of_base(self.base, Path())
        if folder is None or self.base.startswith("~") or folder.is_absolute():
            return self.base
        written = path_from(self.out, self.base)
        return written if written.startswith((".", "/")) else f"./{written}"

    @property
    def base_licence(self) -> str:
        """The licence of the base model, as far as the catalogue knows it."""
        entry = catalogue.entry_of(self.base_model)
        return UNKNOWN if entry is None else entry.licence

    @property
    def file_name(self) -> str:
        """The name a recipe has by its file."""
        return unwritten.name_from(self.out.stem)


def named(wanted: Wanted) -> str:
    """The recipe's name, which some licences want to begin with a certain word."""
    prefix = policy.find(wanted.base_licence).name_prefix
    if wanted.name is not None or prefix is None:
        return wanted.name or wanted.file_name
    has_it = begins_with(wanted.file_name, prefix)
    return wanted.file_name if has_it else f"{slug(prefix)}-{wanted.file_name}"


def check_use(wanted: Wanted) -> None:
    """Refuse base, data and purpose that may not go together, whatever terms are accepted.

    Raises:
        LicenceError: They may not; says why.
        RecipeError: Nothing is known about the licence.
    """
    use = Use(purpose=wanted.purpose, model_name=named(wanted))
    found = conflicts(_bound(wanted), use, (policy.UNKNOWN,))
    if found:
        raise LicenceError([conflict.problem() for conflict in found])


def _bound(wanted: Wanted) -> list[Bound]:
    """The licences of base and data; who is to be named for the data is asked before training."""
    base = of_base(wanted.base, BaseOrigin(), Path())
    data = [
        Bound(wanted.data, licence, "data", attribution=wanted.data)
        for licence in policy.named(wanted.licence)
    ]
    return [*base, *data]


def terms(wanted: Wanted) -> tuple[str, ...]:
    """The licences whose terms must be accepted before the recipe is trained."""
    names = [one.licence.name for one in binding(_bound(wanted))]
    return tuple(licence.name for licence in policy.terms_to_accept(names))


def look(data: str, out: Path, format: Mapping[str, Any] | None) -> Glimpse:
    """The first rows of `data` as a recipe at `out` would read them; of several files the first's.

    Raises:
        RecipeError: `format` is not one.
        ResourceError: There is no such file.
        DataError: It cannot be read, no format is certain, or no row can be used.
    """
    written = path_from(out, data)
    trial = Wanted(written, out, "-", "-", "own-work", "-", format=format)
    block = load_text(compose(trial, Advice()), out).recipe.data.format
    try:
        with tempfile.TemporaryDirectory(prefix="foundry-") as scratch:
            found = opened(expand(data, Path()).files[0], Path(scratch, "archive")).files[0]
            seen = glimpse(found, block, rows=SAMPLE_ITEMS)
    except UndecidedError as error:
        what = _("`foundry recipe new` takes such a line too")
        fix = _("write it in quotes: `--format '{example}'`").format(example=EXAMPLE)
        raise DataError([*error.problems, Problem("--format", what, fix)]) from error
    if not seen.examples:
        raise DataError([Problem(f"{r.source}:{r.line}", r.reason) for r in seen.refused[:SHOWN]])
    return seen


def make(wanted: Wanted, seen: Glimpse) -> str:
    """The text of the recipe that the rows need.

    Raises:
        RecipeError: A value cannot be; says which and where it stands in the text.
        LicenceError: Base, data and purpose do not go together.
    """
    check_use(wanted)
    base = at_hand(wanted.base, Path())
    encoder = None if base is None else light_encoder(base, None)
    entry = catalogue.entry_of(wanted.base)
    advice = advise(seen, encoder, None if entry is None else entry.parameters)
    text = compose(wanted, advice)
    load_text(text, wanted.out)
    return text


def compose(wanted: Wanted, advice: Advice) -> str:
    """The text of the recipe, with comments in the language in force."""
    return "".join(f"{line}\n" for line in _lines(wanted, advice))


def file_for(data: str) -> Path:
    """The recipe's file where none is named: in the working folder, called like the data.

    A pattern is called like the folder that it looks into.
    """
    if data.startswith(HUB):
        return Path(f"{Path(data.split('@')[0]).name}.yaml")
    place = Path(data)
    while glob.has_magic(str(place)) and not place.exists():
        place = place.parent
    place = Path(os.path.abspath(place))
    return Path(f"{(place.name if place.is_dir() else place.stem) or unwritten.NAMELESS}.yaml")


def path_from(out: Path, data: str) -> str:
    """`data` as a recipe at `out` names it."""
    if data.startswith(HUB):
        return data
    try:
        written = os.path.relpath(data, out.parent)
    except ValueError:  # another drive of Windows
        written = str(Path(data).absolute())
    return Path(written).as_posix()


def _lines(wanted: Wanted, advice: Advice) -> Iterator[str]:
    about = _("What is not written here has a default: `foundry recipe fill {file}` shows all.")
    yield "# " + about.format(file=wanted.out.name)
    yield "schema_version: 1"
    if named(wanted) != wanted.file_name:
        yield f"name: {scalars.write(named(wanted))}"
    yield f"base_model: {scalars.write(wanted.base_model)}"
    if wanted.purpose != GENERAL:
        yield f"purpose: {scalars.write(wanted.purpose)}"
    yield from _data(wanted, advice)
    yield from _settings(advice)
    yield from _measures(wanted, advice)


def _data(wanted: Wanted, advice: Advice) -> Iterator[str]:
    declared = {"basis": wanted.basis, "by": wanted.by}
    yield "data:"
    yield "  sources:"
    yield f"    - path: {scalars.write(wanted.data)}"
    yield f"      licence: {scalars.write(wanted.licence)}"
    yield f"      declaration: {flow(declared)}"
    if wanted.format is not None:
        yield f"  format: {flow(wanted.format)}"
    if advice.split is not None:
        share = f"{advice.split['test']:.0%}"
        yield "  # " + _("{share} of the rows are never learned; they are the test.").format(
            share=share
        )
        yield f"  split: {flow(advice.split)}"


def _settings(advice: Advice) -> Iterator[str]:
    if advice.max_seq_len is not None:
        yield "# " + _("The longest row seen needs this many tokens; a longer one is left out.")
        yield f"encode: {flow({'max_seq_len': advice.max_seq_len})}"
    if advice.train is not None:
        if "learning_rate" in advice.train:
            yield "# " + _("Few rows are a short training, which wants a high learning rate.")
        yield f"train: {flow(advice.train)}"


def _measures(wanted: Wanted, advice: Advice) -> Iterator[str]:
    entry = catalogue.load_catalogue().get(wanted.base_model)
    if entry is not None and entry.embedded is not None:
        yield "# " + _("`gguf` is one file that answers on this machine: `foundry chat`.")
        yield "exports: [{kind: gguf}, {kind: adapter}]"
    if advice.evals:
        yield "# " + _("Measured on the test, before and after training.")
        yield f"evals: [{', '.join(f'{{kind: {name}}}' for name in advice.evals)}]"
    if advice.max_new_tokens is not None:
        yield f"evaluation: {flow({'max_new_tokens': advice.max_new_tokens})}"


def flow(values: Mapping[str, Any]) -> str:
    """A block of a recipe on one line."""
    items = (f"{scalars.write(key)}: {_flow_value(value)}" for key, value in values.items())
    return "{" + ", ".join(items) + "}"


def _flow_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return flow(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow_value(item) for item in value) + "]"
    return scalars.write(value)
