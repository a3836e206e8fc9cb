"""Whether two models were asked alike, so that their difference is the training (cases.md C28)."""

from collections.abc import Sequence

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals.answers import BROUGHT, PEER_SETTINGS, SETTINGS, Column


def differing(a: Column, b: Column) -> list[str]:
    """The settings in which two columns differ, in the order of `SETTINGS`."""
    keys = [key for key in SETTINGS if a.settings[key] != b.settings[key]]
    return keys + [BROUGHT] * (a.settings.get(BROUGHT) != b.settings.get(BROUGHT))


def check_peers(models: Sequence[Column]) -> None:
    """Refuse to compare models of which some were asked other questions, or in another way.

    Tokenizers and templates differ between models, and so do the ids of their prompts; what must
    be equal are the words of every question, the task and its version, whether the chat template
    was applied, and when an answer ends.

    Raises:
        ProofError: A setting is missing or differs; names the column and the settings.
    """
    problems = _missing(models, (*SETTINGS, *PEER_SETTINGS))
    if problems:
        raise ProofError(problems)
    first = models[0]
    for column in models[1:]:
        keys = [key for key in PEER_SETTINGS if column.settings[key] != first.settings[key]]
        if keys:
            what = _unfair().format(other=first.name, keys=", ".join(keys))
            problems.append(Problem(column.name, what))
    if problems:
        raise ProofError(problems)


def check_settings(
    models: Sequence[Column], *, base: Sequence[str], tuned: str, delivered: Sequence[str]
) -> None:
    """Refuse a comparison whose models were asked differently.

    Every delivered file must have been asked exactly as the tuned model, and so must one of the
    base columns; the other base columns may be asked in a way that suits a base model better.

    Raises:
        ProofError: A setting is missing or differs; names the column and the settings.
    """
    by_name = {column.name: column for column in models}
    problems = _missing(models, SETTINGS)
    if problems:
        raise ProofError(problems)
    what = _unfair()
    problems += [
        Problem(name, what.format(other=tuned, keys=", ".join(keys)))
        for name in delivered
        if (keys := differing(by_name[name], by_name[tuned]))
    ]
    apart = {name: differing(by_name[name], by_name[tuned]) for name in base}
    if apart and all(apart.values()):
        problems += [
            Problem(name, what.format(other=tuned, keys=", ".join(keys)))
            for name, keys in apart.items()
        ]
    if problems:
        raise ProofError(problems)


def _missing(models: Sequence[Column], keys: Sequence[str]) -> list[Problem]:
    what = _("the setting `{key}` is missing")
    return [
        Problem(column.name, what.format(key=key))
        for column in models
        for key in keys
        if key not in column.settings
    ]


def _unfair() -> str:
    return _("asked otherwise than {other}: {keys} differ; the comparison would not be fair")
