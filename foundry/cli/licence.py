"""`foundry licence`: what may, must and must not be done with a recipe, a package or a model."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from foundry.cli.output import Json, print_json, verb_app, with_example
from foundry.core.language import gettext as _
from foundry.core.language import speaking
from foundry.policy.licence import Licence
from foundry.policy.verdict import Verdict

app = verb_app(_("Say what licences allow, ask for and forbid."))

Language = Literal["zh-TW", "en", "both"]
EXAMPLE = "licence --base llama-3.1-8b --data-licence CC-BY-NC-4.0 --purpose commercial"
REFUSED = 1


Name = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE|PACKAGE|MODEL|LICENCE",
        help=_("A recipe, a package, a base model, or a licence such as `gemma`."),
        show_default=False,
    ),
]
Base = Annotated[
    str | None,
    typer.Option("--base", metavar="MODEL", help=_("Ask without a recipe: the base model.")),
]
DataLicence = Annotated[
    list[str] | None,
    typer.Option("--data-licence", metavar="LICENCE", help=_("Licence of data learned from.")),
]
GeneratedBy = Annotated[
    list[str] | None,
    typer.Option("--generated-by", metavar="MODEL", help=_("A model that wrote the data.")),
]
Attribution = Annotated[
    str | None, typer.Option("--attribution", help=_("The statement that names the source."))
]
Site = Annotated[
    str | None, typer.Option("--site", metavar="URL", help=_("Where the weights were got from."))
]
Purpose = Annotated[
    str | None, typer.Option("--purpose", help=_("What for, such as commercial or research."))
]
ModelName = Annotated[
    str | None, typer.Option("--name", help=_("What the result is to be called."))
]
How = Annotated[
    Literal["internal", "same-terms", "proprietary"],
    typer.Option("--distribution", help=_("Whether and how the result is passed on.")),
]
Users = Annotated[
    int | None,
    typer.Option("--monthly-users", min=0, help=_("Monthly users of all your products.")),
]
Lang = Annotated[
    Language | None,
    typer.Option("--lang", help=_("Language of the text; the one in force where absent.")),
]


@app.command(
    "licence",
    help=with_example(
        _("Say what licences allow, ask for and forbid; a conflict ends with exit code 1."), EXAMPLE
    ),
)
def explain(
    name: Name = None,
    base: Base = None,
    data_licence: DataLicence = None,
    generated_by: GeneratedBy = None,
    attribution: Attribution = None,
    site: Site = None,
    purpose: Purpose = None,
    model_name: ModelName = None,
    distribution: How = "same-terms",
    monthly_users: Users = None,
    lang: Lang = None,
    json: Json = False,
) -> int:
    """Print may, must and must not with clauses, then what does not go together."""
    from foundry.delivery.licence_of import verdict_of
    from foundry.models import asked
    from foundry.policy.use import Use

    question = asked.AdHoc(
        base=base,
        data=tuple(data_licence or ()),
        generated_by=tuple(generated_by or ()),
        attribution=attribution,
        site=site,
        use=Use(purpose, None, distribution, model_name, monthly_users),
    )
    verdict = verdict_of(name, question) if name is not None else question.verdict()
    if json:
        print_json(verdict.as_dict())
    else:
        _print(verdict, lang)
    return REFUSED if verdict.conflicts else 0


def _print(verdict: Verdict, lang: Language | None) -> None:
    """Text in the language in force, in the one asked for, or in both, one after the other."""
    wanted = {"zh-TW": ["zh_TW"], "en": ["en"], "both": ["zh_TW", "en"]}
    for language in wanted[lang] if lang else [None]:
        if language is None:
            _print_once(verdict)
            continue
        with speaking(language):
            _print_once(verdict)


def _print_once(verdict: Verdict) -> None:
    for licence, covered in verdict.licences():
        _print_licence(licence, covered)
    for line in verdict.unclear():
        print(_("not known: {what}").format(what=line))
    found = verdict.conflicts
    for conflict in found:
        print(conflict.problem())
    if verdict.has_use:
        print(
            _("does not go together: {count} conflicts").format(count=len(found))
            if found
            else _("nothing conflicts")
        )
    print(_("This is no legal advice; the texts of the licences decide."))


def _print_licence(licence: Licence, covered: Sequence[str]) -> None:
    from foundry.core.language import language
    from foundry.policy.licence import obligations

    head = f"{licence.title.text(language())} ({licence.spdx or licence.name})"
    print(f"{head}: {', '.join(covered)}" if covered else head)
    print("  " + licence.summary.text(language()))
    for line in obligations([licence.name]):
        print(f"  {line}")
    if licence.url is not None:
        print("  " + _("full text: {url}").format(url=licence.url))
    print(
        "  "
        + _("version {version}; facts read on {date}").format(
            version=licence.version_date or "?", date=licence.read_on
        )
    )
    print()
