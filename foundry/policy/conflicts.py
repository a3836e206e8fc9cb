"""Why base, data and use do not go together: each conflict with the clause it comes from.

The rules are here, the facts in `configs/licences/`. Nothing here is legal advice.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.policy.licence import UNKNOWN, Licence, obligations, terms_to_accept
from foundry.policy.use import Bound, Use, binding


@dataclass(frozen=True)
class Conflict:
    """One reason: the rule's name, what it is about, the licence and its clause, and a way out."""

    rule: str
    where: str
    licence: str
    clause: str | None
    what: str
    fix: str

    def problem(self) -> Problem:
        """As it is told to a person."""
        said = _("{what} (clause not known)")
        if self.clause is not None:
            said = _("{what} (clause {clause})")
        return Problem(self.where, said.format(what=self.what, clause=self.clause), self.fix)


Rule = Callable[[Bound, Use, Sequence[Bound]], tuple[str, str, str] | None]
"""Where, what and fix, without the clause; None where the rule is kept."""


def conflicts(bound: Sequence[Bound], use: Use, accepted: Collection[str] = ()) -> list[Conflict]:
    """Every conflict, in the order of the licences; empty where there is none.

    Args:
        bound: Every licence with a say; what they include in turn is added.
        use: What is to be done.
        accepted: Licences whose conditions were accepted; `unknown` takes on what nobody knows.
    """
    every = binding(bound)
    taken_on = UNKNOWN in {name.strip().lower() for name in accepted}
    found = [
        conflict
        for one in every
        for conflict in _of(one, use, every)
        if not (conflict.rule == "unknown-licence" and taken_on)
    ]
    return list(dict.fromkeys(found))


def not_accepted(bound: Sequence[Bound], accepted: Collection[str]) -> list[Problem]:
    """The licences whose conditions must be accepted first, each with its conditions."""
    names = {name.strip().lower() for name in accepted}
    wanted = terms_to_accept(one.licence.name for one in binding(bound))
    return [_not_accepted(x) for x in wanted if x.name != UNKNOWN and not x.names & names]


def _not_accepted(licence: Licence) -> Problem:
    what = _("the terms of {title} have not been accepted; in short:").format(title=_title(licence))
    lines = [str(line) for line in obligations([licence.name])]
    if licence.url is not None:
        lines.append(_("full text: {url}").format(url=licence.url))
    fix = _("read them, and add `--accept-terms {name}` if you accept").format(name=licence.name)
    return Problem(licence.name, "\n".join([what, *(f"    {line}" for line in lines)]), fix)


def _of(one: Bound, use: Use, every: Sequence[Bound]) -> Iterator[Conflict]:
    for rule, (fact, check) in RULES.items():
        found = check(one, use, every)
        if found is not None:
            yield Conflict(rule, found[0], one.licence.name, one.licence.clause(fact), *found[1:])


def _title(licence: Licence) -> str:
    return licence.title.text(language())


def _unknown(one: Bound, _use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    if one.licence.name != UNKNOWN:
        return None
    what = _("nobody knows which terms apply, so nothing is allowed")
    fix = _("find out and write it down; or add `--accept-terms unknown` and answer for it")
    return one.of, what, fix


def _non_commercial(one: Bound, use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    if one.licence.commercial is not False or not use.is_commercial:
        return None
    what = _("{title} forbids commercial use, and the purpose is `{purpose}`")
    what = what.format(title=_title(one.licence), purpose=use.purpose or "commercial")
    fix = _("use something else, or set `purpose: research` if the result is for research only")
    return one.of, what, fix


def _no_derivatives(one: Bound, use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    stays = use.distribution == "internal" and not use.is_commercial
    if one.licence.derivatives is not False or one.licence.results_free or stays:
        return None
    what = _("{title} lets nothing that is made from it be passed on or sold")
    fix = _("use something else; or do research that stays in the house: {edits}")
    edits = "`purpose: research`, `use.distribution: internal`"
    return one.of, what.format(title=_title(one.licence)), fix.format(edits=edits)


def _share_alike(one: Bound, use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    if not one.licence.share_alike or one.licence.results_free or use.distribution != "proprietary":
        return None
    what = _("{title} wants what is made from it to keep its terms, not to get terms of your own")
    fix = _("set `use.distribution: same-terms`, or use something else")
    return one.of, what.format(title=_title(one.licence)), fix


def _name(one: Bound, use: Use, every: Sequence[Bound]) -> tuple[str, str, str] | None:
    prefix, about_result = one.licence.name_prefix, use.purpose is not None
    if prefix is None or (use.model_name is None and not about_result):
        return None
    if use.model_name is not None and begins_with(use.model_name, prefix):
        return None
    example = f"{slug(_longest(every))}-{use.model_name or 'shop'}"
    fix = _("set `name: {name}`").format(name=example)
    if use.model_name is None:
        what = _("{title} wants the model's name to begin with `{prefix}`; no name is given")
    else:
        what = _("{title} wants the model's name to begin with `{prefix}`; got `{name}`")
    what = what.format(title=_title(one.licence), prefix=prefix, name=use.model_name)
    return "name", what, fix


def _longest(every: Sequence[Bound]) -> str:
    """The name that holds every prefix: `Llama 3` begins with `Llama`."""
    return max((b.licence.name_prefix or "" for b in every), key=len)


def begins_with(name: str, prefix: str) -> bool:
    """Whether a model's name keeps a rule on how it begins; case and hyphens do not count."""
    return slug(name).startswith(slug(prefix))


def slug(words: str) -> str:
    """Words as a model's name has them."""
    return "-".join(words.lower().split())


def _source(one: Bound, _use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    sites = one.licence.source_only_from
    if one.role != "base" or not sites or any(_is_on(one.site, site) for site in sites):
        return None
    named = {"title": _title(one.licence), "sites": ", ".join(sites), "site": one.site}
    if one.site is None:
        what = _("{title} lets the weights be got only from {sites}; nobody said where from")
        fix = _("say it in `base_origin.site`, or get them from there")
    else:
        what = _("{title} lets the weights be got only from {sites}; got them from {site}")
        fix = _("get them from there")
    return one.of, what.format(**named), fix


def _is_on(address: str | None, site: str) -> bool:
    """Whether an address is of a site given as host, or host and start of a path."""
    if address is None:
        return False
    parts = urlsplit(address if "//" in address else f"https://{address}")
    host, _slash, path = site.partition("/")
    found = (parts.hostname or "").lower()
    if found != host and not found.endswith(f".{host}"):
        return False
    return f"{parts.path}/".startswith(f"/{path}/" if path else "/")


def _attribution(one: Bound, _use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    if not one.licence.void_without_attribution or one.role != "data" or one.attribution:
        return None
    what = _("{title} counts as never granted where the source is not named as it asks")
    fix = _("add `attribution: {example}` to the source")
    example = "提供機關 [年份] [資料名稱 版本]"
    return one.of, what.format(title=_title(one.licence)), fix.format(example=example)


def _improves(one: Bound, _use: Use, every: Sequence[Bound]) -> tuple[str, str, str] | None:
    allowed = set(one.licence.improves_only)
    bases = {b.licence.name for b in every if b.role in ("base", "built-on")}
    if not allowed or one.role not in ("data", "generated-by") or allowed & bases:
        return None
    what = _("{title} lets it and its output improve only models under: {names}")
    fix = _("use data made by another model, or such a base model")
    names = ", ".join(sorted(allowed))
    return one.of, what.format(title=_title(one.licence), names=names), fix


def _users(one: Bound, use: Use, _every: Sequence[Bound]) -> tuple[str, str, str] | None:
    cap, users = one.licence.mau_cap, use.monthly_users
    if cap is None or users is None or users <= cap:
        return None
    what = _("{title} ends at {cap} monthly users; there are {users}")
    what = what.format(title=_title(one.licence), cap=cap, users=users)
    fix = _("ask {licensor} for a licence").format(licensor=one.licence.licensor)
    return one.of, what, fix


# The rule's name -> the fact whose clause it rests on, and the rule.
RULES: dict[str, tuple[str, Rule]] = {
    "unknown-licence": ("commercial", _unknown),
    "non-commercial": ("commercial", _non_commercial),
    "no-derivatives": ("derivatives", _no_derivatives),
    "share-alike": ("share_alike", _share_alike),
    "name-prefix": ("name_prefix", _name),
    "unauthorised-source": ("source_only_from", _source),
    "no-attribution": ("void_without_attribution", _attribution),
    "improves-only": ("improves_only", _improves),
    "user-cap": ("mau_cap", _users),
}
