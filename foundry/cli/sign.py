"""`foundry sign`: put your signature into a package that is in order."""

from typing import Annotated

import typer

from foundry.cli.key import Key, own
from foundry.cli.output import Json, print_json, verb_app
from foundry.cli.verify import Package
from foundry.core.language import gettext as _
from foundry.delivery.locate import find_package

app = verb_app(_("Sign a package."))


@app.command(
    "sign",
    help=_("Sign a package, which is checked first.")
    + "\n\n"
    + _("Example: {command}").format(command="foundry sign retail-customer-service --key shop.pem"),
)
def run(
    package: Package,
    key: Key = None,
    replace: Annotated[
        bool, typer.Option("--replace", help=_("Put it in the place of another's signature."))
    ] = False,
    json: Json = False,
) -> None:
    """Sign; a package that is not in order is refused."""
    from foundry.delivery.signing import sign

    folder = find_package(package)
    made = sign(folder, own(key), replace=replace)
    if json:
        print_json({"package": str(folder), **made.model_dump()})
        return
    said = _("{package}: signed by {fingerprint}, {time}")
    print(said.format(package=folder, fingerprint=made.fingerprint, time=made.signed_at))
