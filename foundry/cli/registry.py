"""`foundry registry`: what is published, what became of it, and how to get it out again."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundry.cli.key import Key, own
from foundry.cli.output import Json, print_json, print_table, verb_app, with_example
from foundry.cli.registry_text import print_events, print_package, row
from foundry.cli.rows import visible
from foundry.cli.verify import FOLDER, Folder
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.store import keys

if TYPE_CHECKING:
    from foundry.store.registry import Registry
    from foundry.store.registry_index import Published

app = verb_app(_("List, show, promote, retire and get published packages."))

Name = Annotated[
    str,
    typer.Argument(metavar="NAME[@VERSION]", help=_("A package; its newest version if absent.")),
]
Exact = Annotated[str, typer.Argument(metavar="NAME@VERSION", help=_("A version of a package."))]
Reason = Annotated[str, typer.Option("--reason", help=_("Why, in a sentence."))]


class Mark(StrEnum):
    """What can come to light of a package's data later."""

    erased_subject = "erased-subject"
    expired_data = "expired-data"


def _open(folder: Path) -> "Registry":
    from foundry.store.registry import Registry

    return Registry.at(folder)


def _exact(given: str) -> tuple[str, str]:
    name, _at, version = given.partition("@")
    if not name or not version:
        what = _("no version in `{given}`").format(given=given)
        raise RecipeError(Problem("NAME@VERSION", what, _("write it as NAME@VERSION")))
    return name, version


def _found(registry: "Registry", given: str) -> "Published":
    name, _at, version = given.partition("@")
    return registry.find(name, version or None)


@app.command(
    "list", help=with_example(_("List what is published, in that order."), "registry list")
)
def list_packages(registry: Folder = FOLDER, json: Json = False) -> None:
    """Print a line for each version."""
    with _open(registry).index() as index:
        found = index.packages()
    if json:
        print_json({"packages": [one.model_dump(mode="json") for one in found]})
        return
    head = [_("package"), _("version"), _("stage"), _("published (UTC)"), _("size"), _("state")]
    print_table(head, [row(one) for one in found])


@app.command(
    "show",
    help=with_example(_("Show a version and what became of it."), "registry show shop@1.0.0"),
)
def show(name: Name, registry: Folder = FOLDER, json: Json = False) -> None:
    """Print all that is known of it, and every event."""
    from foundry.delivery.publish import told

    opened = _open(registry)
    found = _found(opened, name)
    with opened.index() as index:
        events = [told(event) for event in index.events(found.manifest)]
    own_events = [one for one in events if (one["name"], one["version"]) == _key(found)]
    if json:
        print_json({**found.model_dump(mode="json"), "events": own_events})
        return
    print_package(found)
    print_events(own_events)


def _key(found: "Published") -> tuple[str, str]:
    return found.name, found.version


@app.command(
    "promote",
    help=with_example(
        _("Move a version to another stage."), "registry promote shop@1.0.0 production"
    ),
)
def promote(
    name: Exact,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="candidate, staging, production")],
    key: Key = None,
    registry: Folder = FOLDER,
    json: Json = False,
) -> None:
    """Promote; a retired version is refused."""
    from foundry.delivery import publish

    found = publish.promote(_open(registry), _exact(name), stage, own(key))
    _tell(found, _("{name}@{version}: {stage}"), json)


@app.command(
    "retire",
    help=with_example(
        _("Say that a version is not to be used."), "registry retire shop@1.0.0 --reason old"
    ),
)
def retire(
    name: Exact, reason: Reason, key: Key = None, registry: Folder = FOLDER, json: Json = False
) -> None:
    """Retire; the package stays as it is, and `verify` says so from now on."""
    from foundry.delivery import publish

    found = publish.retire(_open(registry), _exact(name), reason, own(key))
    _tell(found, _("{name}@{version}: retired: {retired}"), json)


@app.command(
    "mark",
    help=with_example(
        _("Say that a person in its data was erased, or that its data expired."),
        "registry mark shop@1.0.0 erased-subject --reason request-12",
    ),
)
def mark(
    name: Exact,
    kind: Annotated[Mark, typer.Argument(metavar="KIND", help="erased-subject, expired-data")],
    reason: Reason,
    key: Key = None,
    registry: Folder = FOLDER,
    json: Json = False,
) -> None:
    """Mark; name no person in the reason, since it stays."""
    from foundry.delivery import publish

    found = publish.mark(_open(registry), _exact(name), kind.value, reason, own(key))
    _tell(found, _("{name}@{version}: noted"), json)


def _tell(found: "Published", said: str, json: bool) -> None:
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        print(visible(said.format(**found.model_dump())))


@app.command(
    "get",
    help=with_example(
        _("Lay a published package out in a folder."), "registry get shop@1.0.0 --out shop"
    ),
)
def get(
    name: Name,
    out: Annotated[
        Path | None, typer.Option("--out", help=_("A new folder; NAME-VERSION here if absent."))
    ] = None,
    even_retired: Annotated[
        bool, typer.Option("--even-retired", help=_("Get it although it is retired."))
    ] = False,
    registry: Folder = FOLDER,
    json: Json = False,
) -> None:
    """Get; what comes out is checked as `foundry verify` does."""
    from foundry.delivery import publish

    opened = _open(registry)
    found = _found(opened, name)
    folder = out or Path(f"{found.name}-{found.version}")
    report = publish.get(opened, found, folder, even_retired=even_retired)
    if json:
        print_json({**found.model_dump(mode="json"), "folder": str(folder)})
        return
    said = _("{package}: {files} files are as they were made ({size:.1f} MB)")
    print(said.format(package=folder, files=report.files, size=report.size_bytes / 1e6))


@app.command(
    "check", help=with_example(_("Check every event and file of a registry."), "registry check")
)
def check(
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help=_("A public key that may sign events.")),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help=_("Hash of an event that must be there."))
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help=_("Make the index anew; remove what nothing uses."))
    ] = False,
    registry: Folder = FOLDER,
    json: Json = False,
) -> None:
    """Check; a fault ends with exit code 1 and names line, package and file."""
    from foundry.delivery import registry_check

    known = [keys.read_public(path) for path in key or ()]
    report = registry_check.check(_open(registry), keys=known, head=head, repair=repair)
    if json:
        print_json(report.as_dict())
        return
    said = _("{registry}: {packages} packages, {events} events and {objects} files are in order")
    print(said.format(**report.as_dict()))
    for fingerprint in report.signers:
        print(_("signed by {fingerprint}").format(fingerprint=fingerprint))
    if report.unused:
        said = _("{count} files belong to no package; `--repair` removes them")
        print(said.format(count=report.unused))
    print(_("last event: {head}; keep it elsewhere, `--head` asks for it").format(head=report.head))
