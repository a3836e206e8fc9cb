"""`foundry sign`: put your signature into a package that is in order."""

from pathlib import Path
from typing import Annotated

import typer

from foundry.cli.key import Key, own
from foundry.cli.options import Package
from foundry.cli.output import Json, print_json, verb_app, with_example
from foundry.cli.verify import With
from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.store import keys

app = verb_app(_("Sign a package."))


@app.command(
    "sign",
    help=with_example(
        _("Sign a package, which is checked first."), "sign retail-customer-service --key shop.pem"
    ),
)
def run(
    package: Package,
    key: Key = None,
    replace: Annotated[
        bool, typer.Option("--replace", help=_("Put it in the place of another's signature."))
    ] = False,
    other: With = None,
    json: Json = False,
) -> None:
    """Sign; a package that is not in order is refused."""
    from foundry.delivery.locate import find_package
    from foundry.delivery.signing import sign

    folder = find_package(package)
    if other is not None:
        _openly(folder, key, json)
        return
    made = sign(folder, own(key), replace=replace)
    if json:
        print_json({"package": str(folder), **made.model_dump()})
        return
    said = _("{package}: signed by {fingerprint}, {time}")
    print(said.format(package=folder, fingerprint=made.fingerprint, time=made.signed_at))


def _openly(folder: Path, key: Path | None, json: bool) -> None:
    """Sign with `model-signing`, whose keys are of another kind than ours."""
    from foundry.delivery import open_signature

    if key is None:
        what, fix = _("needs a key of an elliptic curve: `--key FILE`"), open_signature.KEYS
        raise RecipeError(Problem("--with", what, fix))
    path = open_signature.sign(folder, key, keys.passphrase(lambda: None))
    if json:
        print_json({"package": str(folder), "signature_file": str(path)})
    else:
        print(_("{package}: signed, {path}").format(package=folder, path=path))
