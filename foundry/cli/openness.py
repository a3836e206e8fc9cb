"""`foundry openness`: how open a model is, by the rules of the Model Openness Framework."""

from typing import TYPE_CHECKING, Annotated

import typer

from foundry.cli.output import Json, print_json, print_table, verb_app, with_example
from foundry.core.language import gettext as _

if TYPE_CHECKING:
    from foundry.delivery.openness import Report

app = verb_app(_("Say how open a model's data, code and weights are."))

ROMAN = {0: "-", 1: "I", 2: "II", 3: "III"}
Name = Annotated[
    str,
    typer.Argument(
        metavar="FILE|MODEL|PACKAGE",
        help=_("A MOF YAML file, a base model, or a package's folder."),
    ),
]


@app.command(
    "openness",
    help=with_example(
        _("Say how open data, code and weights are: MOF class, OSAID, law and origin."),
        "openness gpt-oss-20b",
    ),
)
def show(name: Name, json: Json = False) -> None:
    """Print the class, the three axes, each component, and what is not known."""
    from foundry.delivery import openness

    report = openness.of_name(name)
    if json:
        print_json(report.as_dict())
    else:
        _print(report)


def _print(report: "Report") -> None:
    from foundry.core.language import language

    found = report.openness
    words = {
        "open": _("fully open"),
        "partial": _("partly open"),
        "closed": _("closed"),
        "restricted": _("not an open licence"),
        "unlicensed": _("no licence"),
        "absent": _("not given"),
        "unknown": _("not known"),
    }
    axes = {"data": _("data"), "code": _("code"), "weights": _("weights")}
    print(report.of)
    for axis, degree in found.axes.items():
        print("  " + _("{what}: {state}").format(what=axes[axis], state=words[degree]))
    shares = ", ".join(f"{ROMAN[n]} {share}%" for n, share in sorted(found.progress.items())[::-1])
    print(_("MOF class: {level} ({shares})").format(level=ROMAN[found.mof_class], shares=shares))
    answer = {True: _("it is"), False: _("it is not"), None: _("not known")}[found.osaid]
    print(_("Open Source AI (OSAID 1.0): {answer}").format(answer=answer))
    for line in report.reasons():
        print(f"  {line}")
    _print_terms(report)
    if unknown := len(found.unknown()):
        print(_("not known: {count} components; none of them counts as open").format(count=unknown))
    print()
    rows = [
        [part.component.title.text(language()), words[part.state], part.licence or "-"]
        for part in found.parts
    ]
    print_table([_("component"), _("state"), _("licence")], rows)
    print()
    print(_("This is no legal advice; the texts of the licences decide."))


def _print_terms(report: "Report") -> None:
    ends = {
        "breach": _("a breach of its terms"),
        "ip-suit": _("a suit over intellectual property"),
        "patent-suit": _("a suit over patents"),
    }
    revocable = {
        True: _("the right to use it may end"),
        False: _("the right to use it does not end"),
        None: _("whether the right to use it may end is not known"),
    }
    print(revocable[report.revocable])
    for term in report.terms:
        reasons = _("not known")
        if term.revocable_on is not None:
            reasons = ", ".join(ends[one] for one in term.revocable_on) or _("nothing")
        law = term.governing_law or (_("none named") if term.names_no_law else _("not known"))
        said = _("{licence}: ended by {reasons}; governing law: {law}")
        print("  " + said.format(licence=term.licence, reasons=reasons, law=law))
    country = report.origin_country or _("not known")
    print(_("country of origin: {country}").format(country=country))
