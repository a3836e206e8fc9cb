"""How open a file's model, a model of the catalogue or a package is, and whose law it is under."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import LANGUAGES, TAGS, language, speaking
from foundry.core.language import gettext as _
from foundry.core.use import BaseOrigin
from foundry.delivery import package_record
from foundry.delivery.package_record import PackageRecord
from foundry.models import catalogue, terms
from foundry.policy import licence as policy
from foundry.policy import mof
from foundry.policy.licence import UNKNOWN, Licence
from foundry.policy.mof import MofRecord
from foundry.policy.openness import JOINED, RULES, Openness, Part, assess, rules
from foundry.policy.use import binding

NAME = "openness.yaml"
WEIGHTS = "Model parameters (Final)"
# What every package holds: an export, both cards, the report on it.
IN_PACKAGE = (WEIGHTS, "Model card", "Data card", "Evaluation results")
NOT_SURE = ("?", "N")  # marks of a fact that nobody vouches for


@dataclass(frozen=True)
class Term:
    """One licence in play; None for what is not known of it.

    Attributes:
        licence: Its name.
        revocable_on: What ends it.
        governing_law: ISO 3166 code; None also where the licence names no law.
        names_no_law: Whether it is known to name none.
    """

    licence: str
    revocable_on: tuple[str, ...] | None
    governing_law: str | None
    names_no_law: bool

    @classmethod
    def of(cls, licence: Licence) -> "Term":
        """What the facts in `configs/licences/` say."""
        is_known = licence.name != UNKNOWN
        ends, law = _is_sure(licence, "revocable_on"), _is_sure(licence, "governing_law")
        return cls(
            licence.spdx or licence.name,
            tuple(licence.revocable_on) if is_known and ends else None,
            licence.governing_law,
            is_known and law and licence.governing_law is None,
        )


@dataclass(frozen=True)
class Report:
    """The answer to `foundry openness`."""

    of: str
    kind: str
    openness: Openness
    terms: tuple[Term, ...]
    origin_country: str | None

    @property
    def revocable(self) -> bool | None:
        """Whether a licence in play may end; None where that is not known."""
        if any(term.revocable_on for term in self.terms):
            return True
        unsure = not self.terms or any(term.revocable_on is None for term in self.terms)
        return None if unsure else False

    def as_dict(self) -> dict[str, Any]:
        """The document of `--json`."""
        found = self.openness
        said = {}
        for name in LANGUAGES:
            with speaking(name):
                said[TAGS[name]] = self.reasons()
        return {
            "of": self.of,
            "kind": self.kind,
            "rules": RULES,
            "progress": {str(level): share for level, share in found.progress.items()},
            "class": found.mof_class,
            "class_is_certain": not found.unknown(),
            "axes": dict(found.axes),
            "osaid": {"is_open_source": found.osaid, "reasons": said},
            "components": [
                {"name": p.component.name, "state": p.state, "licence": p.licence}
                for p in found.parts
            ],
            "unknown": [part.component.name for part in found.unknown()],
            "revocable": self.revocable,
            "governing_law": sorted({t.governing_law for t in self.terms if t.governing_law}),
            "terms": [
                {
                    "licence": term.licence,
                    "revocable_on": term.revocable_on,
                    "governing_law": term.governing_law,
                    "names_no_law": term.names_no_law,
                }
                for term in self.terms
            ],
            "origin_country": self.origin_country,
            "is_legal_advice": False,
        }

    def reasons(self) -> list[str]:
        """Why it is or is not Open Source AI, in the language in force."""
        if not self.openness.lacking:
            return [_("data information, code and parameters are given under open terms")]
        return [reason(part) for part in self.openness.lacking]


def reason(part: Part) -> str:
    """What is known of a component, in the language in force."""
    words = {
        "open": _("{component}: code must be under a licence that OSI approved ({licence})"),
        "restricted": _("{component}: its licence does not count as open here ({licence})"),
        "unlicensed": _("{component}: given without a licence"),
        "absent": _("{component}: not given"),
        "unknown": _("{component}: nobody here knows"),
    }
    title = part.component.title.text(language())
    return words[part.state].format(component=title, licence=part.licence)


def of_name(name: str) -> Report:
    """What is meant by a package's folder, a MOF YAML file or a base model.

    Raises:
        DataError: The file is no MOF record.
        ProofError: The package's record is not in order.
        RecipeError: There is no such model; names the nearest.
        ResourceError: There is no such file.
    """
    path = Path(name)
    if "\0" in name:
        raise RecipeError(Problem(name.replace("\0", "?"), _("no name has a NUL character")))
    if (path / package_record.NAME).is_file():
        return of_package(package_record.read(path))
    entry = catalogue.entry_of(name)
    if entry is None and (path.is_file() or path.suffix.lower() in (".yml", ".yaml")):
        return of_record(mof.read(path))
    return of_model(entry or catalogue.find(name))


def of_record(record: MofRecord) -> Report:
    """A model that a MOF file tells of; what the file does not list is not given."""
    given = record.given(rules())
    names = [n.strip() for one in given.values() if one for n in one.split(JOINED)]
    page = (record.hub or "").removeprefix(terms.HUB)
    entry = catalogue.entry_of(page) if "/" in page else None
    country = entry.origin_country if entry else None
    return Report(record.name, "file", assess(given), _named(names), country)


def of_model(entry: catalogue.Entry) -> Report:
    """A base model of the catalogue, which knows the licence of its weights and nothing more."""
    bound = binding(terms.of_base(entry.name, BaseOrigin(), Path("/")))
    licences = list({one.licence.name: one.licence for one in bound}.values())
    unknown = {part.name for part in rules().components} - {WEIGHTS}
    if not _is_sure(entry, "licence") or UNKNOWN in {x.name for x in licences}:
        unknown.add(WEIGHTS)
    found = assess({WEIGHTS: _expression(licences)}, unknown)
    said = tuple(Term.of(one) for one in licences)
    return Report(entry.name, "model", found, said, entry.origin_country)


def of_package(record: PackageRecord) -> Report:
    """A package, by what its record says of it."""
    bound = binding(record.bound())
    licences = list({one.licence.name: one.licence for one in bound}.values())
    unknown = IN_PACKAGE if UNKNOWN in {x.name for x in licences} else ()
    found = assess(mof_record(record).given(rules()), unknown)
    # A base in a folder of its own is called as its folder, which may be called as another model.
    entry = catalogue.entry_of(record.base.hub_id) if record.base.hub_id else None
    country = entry.origin_country if entry else None
    return Report(record.name, "package", found, tuple(Term.of(one) for one in licences), country)


def mof_record(record: PackageRecord) -> MofRecord:
    """A package's MOF record: what it holds, under the licences of base and data together."""
    bound = binding(record.bound())
    licences = {one.licence.name: one.licence for one in bound}
    general = {} if UNKNOWN in licences else {"distribution": _expression(licences.values())}
    return MofRecord(name=record.name, licences=general, components=dict.fromkeys(IN_PACKAGE))


def differs(package: Path, record: PackageRecord) -> Iterator[Problem]:
    """Whether a package's MOF file says something else than its record."""
    path, wanted = package / NAME, mof.dump(mof_record(record)).encode("utf-8")
    is_plain = path.is_file() and not path.is_symlink()
    if not is_plain or path.stat().st_size != len(wanted) or path.read_bytes() != wanted:
        what = _("missing, or not what the licences in {name} make of it")
        yield Problem(NAME, what.format(name=package_record.NAME))


def _expression(licences: Iterable[Licence]) -> str:
    return JOINED.join(licence.spdx or licence.name for licence in licences)


def _named(names: Sequence[str]) -> tuple[Term, ...]:
    known = {n: licence for licence in policy.load_licences().values() for n in licence.names}
    return tuple(
        Term.of(known[name.lower()]) if name.lower() in known else Term(name, None, None, False)
        for name in dict.fromkeys(names)
    )


def _is_sure(fact: Licence | catalogue.Entry, key: str) -> bool:
    return not fact.marks.get(key, "").startswith(NOT_SURE)
