"""`foundry verify`: check a package against its hashes, records, notices and signature."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundry.cli.options import Package
from foundry.cli.output import Json, print_json, verb_app, with_example
from foundry.cli.registry_text import sentence
from foundry.core.errors import FoundryError, Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.store import keys

if TYPE_CHECKING:
    from foundry.delivery.signature import Signed

app = verb_app(_("Check every file and record of a package."))

PublicKey = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help=_("The public key that must have signed it.")),
]


class Other(StrEnum):
    """What else can sign and check."""

    model_signing = "model-signing"


With = Annotated[
    Other | None,
    typer.Option("--with", help=_("Another program's signature, beside the package: PACKAGE.sig.")),
]
FOLDER = Path("registry")
REGISTRY = typer.Option(
    "--registry",
    metavar="DIR",
    envvar="FOUNDRY_REGISTRY",
    help=_("Folder of the registry, on a disk or a network share."),
)
Folder = Annotated[Path, REGISTRY]
EXAMPLE = "verify runs/retail-customer-service-1a2b3c4d/package"


@app.command(
    "verify",
    help=with_example(_("Check every file and record of a package."), EXAMPLE),
)
def run(
    package: Package,
    key: PublicKey = None,
    registry: Annotated[Path | None, REGISTRY] = None,
    other: With = None,
    json: Json = False,
) -> None:
    """Verify; a fault ends with exit code 1 and names each file."""
    from foundry.delivery.locate import find_package
    from foundry.delivery.verify import verify

    expected = None if key is None or other else keys.read_public(key)
    try:
        folder = find_package(package)
        report = verify(folder, key=expected)
        if other:
            _openly(folder, key)
        events = _events(folder, registry)
    except FoundryError as error:
        if not json:
            raise
        print_json({"ok": False, **error.as_dict()})
        raise typer.Exit(error.exit_code) from error
    if json:
        print_json({"ok": True, **report.as_dict(), "problems": [], "events": events})
        return
    said = _("{package}: {files} files are as they were made ({size:.1f} MB)")
    size = report.size_bytes / 1e6
    print(said.format(package=report.package, files=report.files, size=size))
    print(signer(report.signed))
    if other:
        print(_("signed by the key you gave, by {library}").format(library=other.value))
    if report.override is not None:
        what = _("a licence or policy forbids it; the maker went on all the same: {reason}")
        print(what.format(reason=report.override))
    for event in events:
        print(sentence(event))


def _openly(folder: Path, key: Path | None) -> None:
    from foundry.delivery import open_signature

    if key is None:
        what, fix = _("needs the public key: `--key FILE`"), _("ask the maker for it")
        raise RecipeError(Problem("--with", what, fix))
    open_signature.verify(folder, key)


def _events(package: Path, registry: Path | None) -> list[dict[str, Any]]:
    """What became of the package in a registry: the one named, else the one that is here."""
    from foundry.delivery.publish import status
    from foundry.store.registry import MARK, Registry

    if registry is None and not (FOLDER / MARK).is_file():
        return []
    return status(Registry.at(registry or FOLDER), package)


def signer(signed: "Signed | None") -> str:
    """Who signed it, in a sentence that trusts nobody."""
    if signed is None:
        return _("not signed: nothing says who made it")
    if signed.is_expected:
        said = _("signed by the key you gave ({fingerprint}), {time}")
    else:
        said = _("signed by {fingerprint}, {time}; whose key that is, `--key FILE` checks")
    return said.format(fingerprint=signed.fingerprint, time=signed.signed_at)
