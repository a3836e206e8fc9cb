"""`foundry publish`: put a proven package into a registry, where it never changes again."""

from typing import Annotated

import typer

from foundry.cli.key import Key, own
from foundry.cli.options import Package
from foundry.cli.output import Json, note, print_json, verb_app, with_example
from foundry.cli.verify import FOLDER, Folder
from foundry.core.language import gettext as _

app = verb_app(_("Put a proven package into a registry."))


@app.command(
    "publish",
    help=with_example(
        _("Check a package and put it into a registry, under a name and a version."),
        "publish retail-customer-service",
    ),
)
def run(
    package: Package,
    registry: Folder = FOLDER,
    name: Annotated[
        str | None, typer.Option("--name", help=_("Its name there; its own if absent."))
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help=_("Its version there; its own if absent."))
    ] = None,
    key: Key = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Check it and say what it would be; write nothing."))
    ] = False,
    json: Json = False,
) -> None:
    """Publish; the same content again is no error, other content of that name and version is."""
    from foundry.delivery.locate import find_package
    from foundry.delivery.publish import Publishing, publish
    from foundry.store.registry import Registry

    publishing = Publishing.of(find_package(package), name, version)
    subject = publishing.subject
    shown = {"name": subject.name, "version": subject.version, "registry": registry}
    if dry_run:
        if json:
            told = {**publishing.details, "name": subject.name, "version": subject.version}
            print_json({**told, "manifest": subject.manifest, "dry_run": True})
        else:
            print(_("{name}@{version} would be put into {registry}").format(**shown))
        return
    signer = own(key)
    outcome = publish(Registry.made_at(registry), publishing, signer)
    if json:
        print_json({**outcome.published.model_dump(mode="json"), "is_new": outcome.is_new})
        return
    said = _("{name}@{version}: published in {registry}")
    if not outcome.is_new:
        said = _("{name}@{version}: was in {registry} already, with the same content")
    print(said.format(**shown))
    if outcome.published.signature != publishing.details["signature"]:
        note(_("the registry keeps the signature that the package had when it was published"))
    if outcome.published.retired is not None:
        note(_("retired: {reason}").format(reason=outcome.published.retired))
