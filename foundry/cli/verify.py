"""`foundry verify`: check a package against its hashes, records and notices."""

from typing import Annotated

import typer

from foundry.cli.output import Json, print_json, verb_app
from foundry.core.errors import FoundryError
from foundry.core.language import gettext as _
from foundry.delivery.locate import find_package
from foundry.delivery.verify import verify

app = verb_app(_("Check every file and record of a package."))

Package = Annotated[
    str,
    typer.Argument(metavar="PACKAGE", help=_("A package, a run, or the name of a recipe.")),
]
EXAMPLE = "foundry verify runs/retail-customer-service-1a2b3c4d/package"


@app.command(
    "verify",
    help=_("Check every file and record of a package.")
    + "\n\n"
    + _("Example: {command}").format(command=EXAMPLE),
)
def run(package: Package, json: Json = False) -> None:
    """Verify; a fault ends with exit code 1 and names each file."""
    try:
        report = verify(find_package(package))
    except FoundryError as error:
        if not json:
            raise
        print_json({"ok": False, **error.as_dict()})
        raise typer.Exit(error.exit_code) from error
    if json:
        print_json({"ok": True, **report.as_dict(), "problems": []})
        return
    said = _("{package}: {files} files are as they were made ({size:.1f} MB)")
    size = report.size_bytes / 1e6
    print(said.format(package=report.package, files=report.files, size=size))
    if report.override is not None:
        what = _("licences conflict; the maker went on all the same: {reason}")
        print(what.format(reason=report.override))
