"""`foundry doctor`: say whether this machine can train, and what to do where it cannot."""

from dataclasses import asdict

import typer

from foundry.cli.output import Json, print_json, print_table, verb_app, with_example
from foundry.core.errors import ResourceError
from foundry.core.language import gettext as _
from foundry.planning.doctor import Check, examine, is_ready

app = verb_app(_("Say whether this machine can train."))

HELP = _("Say whether this machine can train, and what to do where it cannot.")


@app.command("doctor", help=with_example(HELP, "doctor"))
def doctor(json: Json = False) -> None:
    """Examine the machine; a required thing that is missing ends with exit code 3."""
    checks = examine()
    if json:
        print_json({"ready": is_ready(checks), "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if not is_ready(checks):
        raise typer.Exit(ResourceError.exit_code)


def _print(checks: list[Check]) -> None:
    words = {"ok": _("ok"), "warning": _("warning"), "missing": _("missing")}
    rows = [
        [
            words[check.state],
            check.name,
            check.found,
            "" if check.state == "ok" else check.fix or "",
        ]
        for check in checks
    ]
    print_table([_("state"), _("what"), _("found"), _("fix")], rows)
