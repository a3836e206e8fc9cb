"""`sovereignty.json`: where each step ran, whom it asked for, how that is known, and what the
package's parts come from.

What nobody declared or measured stands as such; nothing is guessed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from foundry.core.errors import Problem
from foundry.core.language import gettext as _
from foundry.core.network import KERNEL, PYTHON
from foundry.delivery import sums
from foundry.delivery.inside import Inside
from foundry.models import origins as known
from foundry.policy import origins

NAME = "sovereignty.json"
NOT_STATED, NOT_MEASURED = "not stated", "not measured"
# Step -> stage of the run; the base model was fetched before the run, by another process.
STEPS = {
    "ingest": "data",
    "encode": "encode",
    "train": "train",
    "export": "export",
    "evaluate": "evaluate",
    "package": "package",
}
MEASURED_BY = {
    KERNEL: {
        "zh-TW": "核心：完成這一步的行程除了自己沒有任何路由（如 unshare --net），"
        "它與它啟動的行程都連不到外面。",
        "en": "Kernel: the process that finished the step had no route but to itself (as under "
        "unshare --net), so neither it nor any process it started could reach anyone.",
    },
    PYTHON: {
        "zh-TW": "只看完成這一步的行程裡 Python 的 socket：編譯程式庫與子行程的連線看不到。",
        "en": "Python's own sockets, in the process that finished the step: those of compiled "
        "libraries and of child processes are not seen.",
    },
    NOT_MEASURED: {"zh-TW": "沒有測量。", "en": "Not measured."},
}

Value = dict[str, Any]


def document(inside: Inside) -> Value:
    """The record of a package."""
    return {
        "schema_version": 1,
        "name": inside.record.name,
        "version": inside.record.version,
        "policy": _policy(inside),
        "steps": [_download(inside), *_steps(inside)],
        "measured_by": MEASURED_BY,
        "components": [_base(inside), *_data(inside)],
    }


def broken(inside: Inside) -> Iterator[Problem]:
    """A base model that the package's own policy excludes, or of another origin than is known."""
    origin, policy = _base_origin(inside), _asked(inside)
    catalogued = known.of_model(inside.record.base.hub_id or origin.model)
    if origin.said_by == "catalogue" and catalogued.countries[:1] != origin.countries[:1]:
        what = _("the base model's origin is not the catalogue's ({found}; it has {expected})")
        found, expected = (", ".join(x.countries[:1]) for x in (origin, catalogued))
        yield Problem(NAME, what.format(found=found, expected=expected), sums.again())
    overruled = inside.record.override.conflicts if inside.record.override else ()
    for conflict in origins.refused(policy, origin) if policy is not None else ():
        if conflict.rule not in {one.rule for one in overruled}:
            problem = conflict.problem()
            yield Problem(NAME, problem.what, problem.fix)


def _asked(inside: Inside) -> origins.Policy | None:
    """The policy that the recipe asks for, as it was when the plan was made."""
    facts = inside.plan["sovereignty"]["policy"]
    return None if facts is None else origins.Policy.model_validate(facts)


def _policy(inside: Inside) -> Value | None:
    """The policy, and whether the base model keeps it."""
    policy = _asked(inside)
    if policy is None:
        return None
    kept = not origins.refused(policy, _base_origin(inside))
    verdict = "kept" if kept else "overridden"
    return {**inside.plan["sovereignty"]["policy"], "verdict": verdict}


def _download(inside: Inside) -> Value:
    """Of the base model, before the run: where it is said to be from."""
    sites = [term.site for term in inside.record.terms if term.role == "base" and term.site]
    return {
        "step": "download",
        "country": NOT_STATED,
        "site": sites[0] if sites else NOT_STATED,
        "hosts": None,
        "measured_by": NOT_MEASURED,
    }


def _steps(inside: Inside) -> Iterator[Value]:
    declared = inside.plan["values"]["compute"]["country"]
    for step, stage in STEPS.items():
        ran = inside.steps["stages"].get(stage, {})
        seen = ran.get("network") or {"hosts": None, "measured_by": NOT_MEASURED}
        country = ran.get("country") or declared or NOT_STATED
        yield {"step": step, "country": country, **seen}


def _base(inside: Inside) -> Value:
    base = inside.record.base
    name = base.hub_id or base.name
    told = _told(_base_origin(inside))
    return {"role": "base", "name": name, "sha256": base.weights_sha256, **told}


def _data(inside: Inside) -> Iterator[Value]:
    """Each source of the recipe, then each model that wrote rows of one."""
    data = inside.plan["values"]["data"]
    for source in (*data["sources"], *(data["replay"] or {"sources": ()})["sources"]):
        country = source["origin_country"]
        yield {
            "role": "data",
            "name": source["path"],
            "countries": [country] if country else NOT_STATED,
            "organisation": source["declaration"]["by"],
            "said_by": "recipe",
        }
    for told in inside.plan["sovereignty"]["wrote"]:
        origin = _origin(told)
        yield {"role": "wrote data", "name": origin.model, **_told(origin)}


def _told(origin: origins.Origin) -> Value:
    return {
        "countries": list(origin.countries) or NOT_STATED,
        "organisation": origin.organisation or NOT_STATED,
        "said_by": origin.said_by or NOT_STATED,
    }


def _base_origin(inside: Inside) -> origins.Origin:
    return _origin(inside.plan["sovereignty"]["base"])


def _origin(told: Mapping[str, Any]) -> origins.Origin:
    return origins.Origin(**{**told, "countries": tuple(told["countries"])})
