"""Find plug-ins by file name without importing them; the only dynamic import in the program.

A plug-in folder is a package such as `foundry.train.adapters`; `kind: gguf-adapter` is the file
`gguf_adapter.py` in it. Others add theirs through an entry point in the group named after the
point (`foundry.adapter`). Listing imports nothing.
"""

import pkgutil
from functools import cache
from importlib import import_module, metadata, util
from types import ModuleType
from typing import Any

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.core.near import nearest

POINTS = {
    "source": "foundry.data.sources",
    "format": "foundry.data.formats",
    "family": "foundry.models.families",
    "adapter": "foundry.train.adapters",
    "trainer": "foundry.train.trainers",
    "reward": "foundry.train.rewards",
    "evaluator": "foundry.evals.evaluators",
    "benchmark": "foundry.evals.benchmarks",
    "exporter": "foundry.delivery.exporters",
}


@cache
def names(point: str) -> tuple[str, ...]:
    """The kinds that exist at a plug-in point, sorted.

    Raises:
        RecipeError: Two plug-ins claim one name; both places are named.
    """
    return tuple(sorted(_origins(point)))


@cache
def load(point: str, kind: str) -> ModuleType:
    """Import the plug-in `kind`.

    Raises:
        RecipeError: No such plug-in; lists what exists and the nearest name.
    """
    origins = _origins(point)
    if kind not in origins:
        raise RecipeError(unknown_kind(point, kind))
    return import_module(origins[kind])


def optional(plugin: ModuleType, name: str) -> Any:
    """What a plug-in defines under a name that it need not define; None where it does not."""
    return vars(plugin).get(name)


def module(name: str) -> ModuleType:
    """Import a module of our own by its full name; the command line's verbs are looked up so."""
    return import_module(name)


def unknown_kind(point: str, kind: object, *, where: str = "") -> Problem:
    """The problem to report for a name no plug-in has."""
    known = sorted(_origins(point))
    near = nearest(str(kind), known)
    fix = _("use `{name}`").format(name=near) if near else _("choose one of the names listed")
    what = _("unknown {point} `{kind}`; there are: {known}")
    return Problem(where, what.format(point=point, kind=kind, known=", ".join(known)), fix)


@cache
def _origins(point: str) -> dict[str, str]:
    found = {_kind(name): f"{POINTS[point]}.{name}" for name in _file_names(POINTS[point])}
    for entry in metadata.entry_points(group=f"foundry.{point}"):
        if entry.name in found:
            what = _("the {point} `{kind}` is defined twice: {first} and {second}")
            raise RecipeError(
                Problem(
                    entry.dist.name if entry.dist else entry.value,
                    what.format(
                        point=point, kind=entry.name, first=found[entry.name], second=entry.value
                    ),
                    _("uninstall one of the two packages"),
                )
            )
        found[entry.name] = entry.value
    return found


def _file_names(package: str) -> list[str]:
    spec = util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return [m.name for m in pkgutil.iter_modules(locations) if not m.name.startswith("_")]


def _kind(file_name: str) -> str:
    return file_name.replace("_", "-")
