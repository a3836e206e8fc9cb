"""The licence files of a package: terms, notice, statement of changes; and which of them lack.

Required sentences are in the licensor's words, once; everything around them is in every language
the toolkit speaks, because the package travels.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from foundry.core.errors import Problem
from foundry.core.language import LANGUAGES, gettext_in
from foundry.core.language import gettext as _
from foundry.policy.licence import Licence, Rule, folder

NOTICE = "NOTICE"
CHANGES = "CHANGES.md"
TERMS = "LICENCE.md"
TEXTS = "licences"
CARD = "README.md"  # where sentences to display prominently must stand; written by the card

Source = tuple[str, Licence]
Translate = Callable[[str], str]


def notices(
    *,
    base: Licence,
    data: Sequence[Source],
    model_name: str,
    changes: Sequence[str],
    attributions: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The text of every licence file that a package must carry, by its path in the package.

    Args:
        base: Licence of the base model.
        data: Each source's name with its licence.
        model_name: What the package is called.
        changes: What was done to which files, one sentence each; not empty.
        attributions: Source name -> the statement its licence asks for; the source's name where
            absent.
    """
    licences = _unique([base, *(licence for __, licence in data)])
    files = {
        f"{TEXTS}/{text.ship_as}": (folder() / "texts" / text.file).read_text(encoding="utf-8")
        for licence in licences
        for text in licence.text_files
    }
    files[TERMS] = "\n".join(_terms(_in(n), n, model_name, base, data) for n in reversed(LANGUAGES))
    files[NOTICE] = _notice(model_name, licences, data, attributions or {})
    files[CHANGES] = "\n".join(_changes(_in(n), model_name, changes) for n in reversed(LANGUAGES))
    return dict(sorted(files.items()))


def missing_notices(package: Path, licences: Iterable[Licence]) -> list[Problem]:
    """What the licences ask a package to carry and its folder does not; empty where all is there.

    Compares legal texts by hash and looks for required sentences word for word.
    """
    found = _unique(licences)
    problems = []
    for licence in found:
        problems += [p for text in _texts(licence) if (p := _missing_text(package, licence, *text))]
        problems += _missing_sentences(package, licence)
    needs_changes = [licence for licence in found if licence.mark_changes]
    if needs_changes and not _read(package / CHANGES).strip():
        what = _("{title} asks for a statement of what was changed")
        problems.append(_problem(CHANGES, what, needs_changes[0]))
    return problems


def _unique(licences: Iterable[Licence]) -> list[Licence]:
    return list({licence.name: licence for licence in licences}.values())


def _texts(licence: Licence) -> list[tuple[str, str]]:
    return [(text.ship_as, text.sha256) for text in licence.text_files]


def _missing_text(package: Path, licence: Licence, name: str, digest: str) -> Problem | None:
    path = package / TEXTS / name
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
        return None
    where = f"{TEXTS}/{name}"
    if not path.is_file():
        return _problem(where, _("{title} asks for a copy of its text"), licence)
    return _problem(where, _("this is not the text of {title} word for word"), licence)


def _missing_sentences(package: Path, licence: Licence) -> list[Problem]:
    wanted = [(NOTICE, licence.notice)] if licence.notice else []
    wanted += [(CARD, sentence) for sentence in licence.display]
    wanted += [(TERMS, rule.en) for rule in licence.passthrough_terms]
    problems = []
    for name, sentence in wanted:
        if sentence not in _read(package / name):
            what = _("{title} asks for this sentence: {sentence}")
            problems.append(_problem(name, what, licence, sentence=sentence))
    if licence.ship_copy_of_terms and not licence.text_files and not _own_copies(package, licence):
        what = _("{title} asks for a copy of its text, which does not come with the program")
        where = f"{TEXTS}/{licence.name}.*"
        fix = _("get it from {url} and put it there").format(url=licence.url or licence.licensor)
        problems.append(Problem(where, what.format(title=licence.title.en), fix))
    return problems


def _own_copies(package: Path, licence: Licence) -> list[Path]:
    return [p for p in (package / TEXTS).glob(f"{licence.name}.*") if p.stat().st_size]


def _problem(where: str, what: str, licence: Licence, **values: str | None) -> Problem:
    fix = _("make the package again with `foundry package`")
    return Problem(where, what.format(title=licence.title.en, **values), fix)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _in(name: str) -> Translate:
    return lambda message: gettext_in(name, message)


def _notice(
    model_name: str,
    licences: Sequence[Licence],
    data: Sequence[Source],
    attributions: Mapping[str, str],
) -> str:
    lines = [model_name, ""]
    for licence in licences:
        lines += [sentence for sentence in (licence.notice, *licence.display) if sentence]
    for name, licence in data:
        if licence.attribution:
            where = f"{licence.title.en}, {licence.url}"
            lines.append(f"{attributions.get(name, name)} ({where})")
    return "\n".join(dict.fromkeys(lines)).rstrip() + "\n"


def _terms(t: Translate, name: str, model_name: str, base: Licence, data: Sequence[Source]) -> str:
    lines = ["# " + t(N_("Licence of {model}")).format(model=model_name), ""]
    lines.append(t(N_("The terms of the base model and of all data apply together.")))
    lines += ["", "- " + t(N_("Base model: {title}")).format(title=_linked(base, name))]
    for source, licence in data:
        said = t(N_("Data {source}: {title}"))
        lines.append("- " + said.format(source=f"`{source}`", title=_linked(licence, name)))
    licences = _unique([base, *(licence for __, licence in data)])
    binding = [rule for licence in licences for rule in licence.passthrough_terms]
    if binding:
        lines += ["", "## " + t(N_("Terms that bind whoever receives this model")), ""]
        lines += [f"- {rule.text(name)}" for rule in binding]
    for licence in licences:
        lines += ["", f"## {licence.title.text(name)}", "", licence.summary.text(name), ""]
        lines += _rules(t(N_("may")), licence.may, name)
        lines += _rules(t(N_("must")), licence.must, name)
        lines += _rules(t(N_("must not")), licence.must_not, name)
    lines += ["", t(N_("This summary is no legal advice; the texts in `licences/` decide.")), ""]
    return "\n".join(lines)


def _rules(word: str, rules: Sequence[Rule], name: str) -> list[str]:
    return [
        f"- {word}: {rule.text(name)}" + (f" ({rule.clause})" if rule.clause else "")
        for rule in rules
    ]


def _linked(licence: Licence, name: str) -> str:
    title = licence.title.text(name)
    return f"[{title}]({licence.url})" if licence.url else title


def _changes(t: Translate, model_name: str, changes: Sequence[str]) -> str:
    lines = ["# " + t(N_("What was changed")), ""]
    said = t(N_("The files of {model} are not the original ones. AI Foundry changed them:"))
    lines += [said.format(model=model_name), "", *(f"- {change}" for change in changes), ""]
    return "\n".join(lines)


def N_(message: str) -> str:
    """Mark a message for extraction; it is translated where its language is known."""
    return message
