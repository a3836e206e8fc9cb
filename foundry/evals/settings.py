"""Whether two models were asked alike, so that their difference is the training (cases.md C28)."""

from collections.abc import Sequence

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals.answers import SETTINGS, Column


def differing(a: Column, b: Column) -> list[str]:
    """The settings in which two columns differ, in the order of `SETTINGS`."""
    return [key for key in SETTINGS if a.settings[key] != b.settings[key]]


def check_settings(
    models: Sequence[Column], *, base: Sequence[str], tuned: str, delivered: str | None
) -> None:
    """Refuse a comparison whose models were asked differently.

    The delivered file must have been asked exactly as the tuned model, and so must one of the
    base columns; the other base columns may be asked in a way that suits a base model better.

    Raises:
        ProofError: A setting is missing or differs; names the column and the settings.
    """
    by_name = {column.name: column for column in models}
    problems = [
        Problem(column.name, _("the setting `{key}` is missing").format(key=key))
        for column in models
        for key in SETTINGS
        if key not in column.settings
    ]
    if problems:
        raise ProofError(problems)
    what = _("asked otherwise than {other}: {keys} differ; the comparison would not be fair")
    if delivered is not None and (keys := differing(by_name[delivered], by_name[tuned])):
        problems.append(Problem(delivered, what.format(other=tuned, keys=", ".join(keys))))
    apart = {name: differing(by_name[name], by_name[tuned]) for name in base}
    if apart and all(apart.values()):
        problems += [
            Problem(name, what.format(other=tuned, keys=", ".join(keys)))
            for name, keys in apart.items()
        ]
    if problems:
        raise ProofError(problems)
