"""The licence files of a package: terms, notice, statement of changes.

Required sentences are in the licensor's words, once; everything around them is in every language
the toolkit speaks, because the package travels.
"""

from collections.abc import Callable, Sequence

from foundry.core.language import LANGUAGES, gettext_in
from foundry.policy.duties import CHANGES, NOTICE, TERMS, attribution_line, ship_as
from foundry.policy.licence import Licence, Rule, folder
from foundry.policy.use import Bound, binding

Translate = Callable[[str], str]


def notices(bound: Sequence[Bound], *, model_name: str, changes: Sequence[str]) -> dict[str, str]:
    """The text of every licence file that a package must carry, by its path in the package.

    Args:
        bound: Every licence with a say, the base's own first.
        model_name: What the package is called.
        changes: What was done to which files, one sentence each; not empty.
    """
    every = binding(bound)
    licences = list({one.licence.name: one.licence for one in every}.values())
    files = {
        ship_as(licence, text): (folder() / "texts" / text.file).read_text(encoding="utf-8")
        for licence in licences
        for text in licence.text_files
    }
    files[TERMS] = "\n".join(_terms(_in(n), n, model_name, every) for n in reversed(LANGUAGES))
    files[NOTICE] = _notice(model_name, licences, every)
    files[CHANGES] = "\n".join(_changes(_in(n), model_name, changes) for n in reversed(LANGUAGES))
    return dict(sorted(files.items()))


def _in(name: str) -> Translate:
    return lambda message: gettext_in(name, message)


def _notice(model_name: str, licences: Sequence[Licence], every: Sequence[Bound]) -> str:
    lines = [model_name, ""]
    for licence in licences:
        lines += [sentence for sentence in (licence.notice, *licence.display) if sentence]
        lines += [words for said in licence.statements for words in (said.zh_TW, said.en)]
    lines += [
        attribution_line(one) for one in every if one.role == "data" and one.licence.attribution
    ]
    return "\n".join(dict.fromkeys(lines)).rstrip() + "\n"


def _terms(t: Translate, name: str, model_name: str, every: Sequence[Bound]) -> str:
    lines = ["# " + t(N_("Licence of {model}")).format(model=model_name), ""]
    lines += [t(N_("The terms of the base model and of all data apply together.")), ""]
    said = {
        "base": t(N_("Base model: {title}")),
        "built-on": t(N_("What the base model was made from: {title}")),
        "data": t(N_("Data {source}: {title}")),
        "generated-by": t(N_("A model that wrote data, {source}: {title}")),
    }
    for one in every:
        title = _linked(one.licence, name)
        lines.append("- " + said[one.role].format(source=f"`{one.of}`", title=title))
    licences = list({one.licence.name: one.licence for one in every}.values())
    passed_on = [rule for licence in licences for rule in licence.passthrough_terms]
    if passed_on:
        lines += ["", "## " + t(N_("Terms that bind whoever receives this model")), ""]
        lines += [f"- {rule.text(name)}" for rule in passed_on]
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
