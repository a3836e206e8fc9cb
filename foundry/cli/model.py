"""`foundry model`: list and show the base models that are known."""

from typing import Annotated, Any

import typer

from foundry.cli.output import Json, print_json, print_table, verb_app
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.models import catalogue
from foundry.models.catalogue import Entry
from foundry.policy import licence

app = verb_app(_("List and show base models."))

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("A name of `foundry model list`."))]


def _help(line: str, command: str) -> str:
    return line + "\n\n" + _("Example: {command}").format(command=f"foundry model {command}")


@app.command("list", help=_help(_("List the base models in the catalogue."), "list"))
def list_models(json: Json = False) -> None:
    """Print name, title, size, context, licence, access and whether it can be trained here."""
    entries = list(catalogue.load_catalogue().values())
    if json:
        print_json({"models": [as_dict(entry) for entry in entries]})
        return
    head = [
        _("name"),
        _("title"),
        _("parameters"),
        _("context"),
        _("licence"),
        _("access"),
        _("trainable here"),
    ]
    print_table(head, [_row(entry) for entry in entries])


@app.command("show", help=_help(_("Print what is known about a base model."), "show gemma-3-270m"))
def show(name: Name, json: Json = False) -> None:
    """Print each fact, how well it is known, and the licence in short."""
    entry = catalogue.find(name)
    if json:
        print_json(as_dict(entry))
        return
    for label, value in _facts(entry):
        print(f"{label}: {value}")
    print("\n" + licence.find(entry.licence).summary.text(language()))
    if entry.note is not None:
        print("\n" + entry.note.text(language()))
    if entry.marks:
        print("\n" + _("How well this is known (T text read, X run here, H hub page,"))
        print(_("R someone else's word, N not known, ? not verified):"))
        for key, mark in entry.marks.items():
            print(f"  {key}: {mark}")


def as_dict(entry: Entry) -> dict[str, Any]:
    """An entry as `--json` prints it: every fact, and what follows from them."""
    return {**entry.model_dump(mode="json"), "trainable_here": entry.trainable_here}


def _row(entry: Entry) -> list[str]:
    return [
        entry.name,
        entry.title.text(language()),
        _size(entry.parameters),
        _number(entry.context),
        entry.licence,
        _access(entry),
        _("yes") if entry.trainable_here else _("not yet"),
    ]


def _facts(entry: Entry) -> list[tuple[str, str]]:
    template = entry.chat_template
    where = " ".join(part for part in (template.source, template.name) if part)
    facts = [
        (_("name"), entry.name),
        (_("title"), entry.title.text(language())),
        (_("hub"), " @ ".join(p for p in (entry.hub_id, entry.revision) if p) or _("unknown")),
        (_("class"), entry.architecture),
        (_("family"), entry.family or _("none yet: it cannot be trained here")),
        (_("parameters"), _number(entry.parameters)),
        (_("context"), _number(entry.context)),
        (_("chat template"), where or _("unknown")),
        (_("terminator"), entry.terminator or _("unknown")),
        (_("licence"), f"{licence.find(entry.licence).title.text(language())} ({entry.licence})"),
        (_("access"), _access(entry)),
        (_("origin"), entry.origin_country),
        (_("languages"), ", ".join(entry.languages) or _("unknown")),
    ]
    if entry.fallback is not None:
        facts.append((_("use instead where it cannot be had"), entry.fallback))
    if entry.embedded is not None:
        facts.append((_("install"), entry.embedded.install))
    return facts


def _access(entry: Entry) -> str:
    if entry.embedded is not None:
        return _("package")
    if entry.gated is None:
        return _("unknown")
    return _("on request") if entry.gated else _("open")


def _size(parameters: int | None) -> str:
    """Parameters as people say them: 268M, 12.4B."""
    if parameters is None:
        return "?"
    if parameters < 10**9:
        return f"{parameters / 10**6:.0f}M"
    return f"{parameters / 10**9:.1f}".removesuffix(".0") + "B"


def _number(value: int | None) -> str:
    return _("unknown") if value is None else f"{value:,}"
