"""`foundry model`: list, show and fetch base models."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from foundry.cli.output import (
    Json,
    Streams,
    print_json,
    print_table,
    refuse_documents,
    verb_app,
    with_example,
)
from foundry.core.errors import FoundryError, Problem, RecipeError
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.sizes import readable
from foundry.models import catalogue
from foundry.models.catalogue import Entry
from foundry.policy import licence

app = verb_app(_("List, show and fetch base models."))

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("A name of `foundry model list`."))]


@app.command("list", help=with_example(_("List the base models in the catalogue."), "model list"))
def list_models(
    trainable: Annotated[
        bool, typer.Option("--trainable", help=_("Only those that can be trained here."))
    ] = False,
    json: Json = False,
) -> None:
    """Print name, title, size, context, licence, access and whether it can be trained here."""
    known = catalogue.load_catalogue().values()
    entries = [entry for entry in known if entry.trainable_here or not trainable]
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


@app.command(
    "show",
    help=with_example(_("Print what is known about a base model."), "model show gemma-3-270m"),
)
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


@app.command(
    "fetch", help=with_example(_("Download base models and check them."), "model fetch qwen3-8b")
)
def fetch(
    context: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help=_("NAME or OWNER/NAME, each with @REVISION if wanted.")
        ),
    ],
    revision: Annotated[
        str | None, typer.Option("--revision", help=_("Commit, branch or tag of a single model."))
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Only ask what there is; download nothing."))
    ] = False,
    token: Annotated[str | None, typer.Option("--token", hidden=True)] = None,
    json: Json = False,
    events: Streams = False,
) -> None:
    """Fetch each model; what broke off is gone on with, and nothing else ever downloads."""
    _refuse_token(token)
    if events:
        refuse_documents({"--json": json})
    if revision is not None and len(models) > 1:
        what = _("one revision cannot be that of {count} models").format(count=len(models))
        raise RecipeError(Problem("--revision", what, _("write each as OWNER/NAME@REVISION")))
    got = [_fetch(model, revision, context.obj, dry_run=dry_run) for model in models]
    if json:
        print_json({"models": got})
        return
    for item in got:
        _print_fetched(item, dry_run=dry_run)


def _refuse_token(token: str | None) -> None:
    if token is not None:
        what = _("a token on the command line stays in the shell's history and the process list")
        fix = _("set it in the environment as HF_TOKEN, or run `hf auth login` once")
        raise RecipeError(Problem("--token", what, fix))


def _fetch(model: str, revision: str | None, events: Events, *, dry_run: bool) -> dict[str, Any]:
    from foundry.cli.progress.shown import shown
    from foundry.models import names
    from foundry.models.download import fetch as download
    from foundry.models.embedded import materialise
    from foundry.models.fetch import is_embedded

    if names.is_path(model):
        raise _a_path(model)
    wanted = names.wanted(model, revision)
    licence_name = wanted.entry.licence if wanted.entry else "unknown"
    if wanted.entry is not None and is_embedded(wanted):
        folder = None if dry_run else str(materialise(wanted.entry))
        return {"base_model": wanted.name, "folder": folder, "licence": licence_name}
    with shown() as listener, events.heard_by(listener):
        got = asdict(download(wanted, events, dry_run=dry_run))
    address = f"{wanted.name}@{got['revision']}"
    return {"base_model": address, **got, "licence": licence_name}


def _a_path(model: str) -> FoundryError:
    from foundry.models import names

    if not Path(model).expanduser().is_dir():
        return names.missing_folder(model, Path())
    what = _("a folder; there is nothing to fetch")
    return RecipeError(Problem(model, what, _("write it as `base_model` in a recipe")))


def _print_fetched(item: dict[str, Any], *, dry_run: bool) -> None:
    if "size_bytes" in item:
        print(f"{item['hub_id']} @ {item['revision']}")
        whole, new = readable(item["size_bytes"]), readable(item["downloaded_bytes"])
        files = len(item["files"])
        if dry_run:
            print(_("{files} files, {whole}; nothing downloaded").format(files=files, whole=whole))
        else:
            told = _("{files} files, {whole}, every hash checked; {new} downloaded now")
            print(told.format(files=files, whole=whole, new=new))
    if not dry_run:
        print(_("folder: {path}").format(path=item["folder"]))
    title = licence.find(item["licence"]).title.text(language())
    print(_("licence: {title} ({name})").format(title=title, name=item["licence"]))
    print(_("in a recipe: base_model: {name}").format(name=item["base_model"]))


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
        (_("class"), entry.architecture or _("unknown")),
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
    if entry.base_countries:
        facts.append((_("origin of what it was made from"), ", ".join(entry.base_countries)))
    if entry.gate_asks is not None:
        facts.append((_("its page asks for"), entry.gate_asks.text(language())))
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
