"""`provenance.intoto.json`: how a package came to be, as an in-toto Statement v1 with SLSA
provenance v1.

https://slsa.dev/spec/v1.0/provenance. It is our own word, not that of a build service: level 1. It
names no path, host or user (C43).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from foundry.delivery import steps
from foundry.delivery.inside import Inside

NAME = "provenance.intoto.json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
# What was done, and who did it. SLSA wants addresses of types; ours stand in docs/bills.md.
BUILD = "urn:ai-foundry:train:1"
BUILDER = "urn:ai-foundry:builder:self"
DISTRIBUTION = "ai-foundry"
RECIPE = "foundry/recipe.yaml"
HUB = "https://huggingface.co/"

Value = dict[str, Any]


def document(inside: Inside) -> Value:
    """The statement on a package."""
    subjects = [
        {"name": name, "digest": {"sha256": digest}}
        for export in inside.record.exports
        for name, digest in export.files.items()
    ]
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": _definition(inside),
            "runDetails": _details(inside),
        },
    }


def _definition(inside: Inside) -> Value:
    plan = inside.plan
    return {
        "buildType": BUILD,
        "externalParameters": {
            "recipe": {"name": RECIPE, "digest": {"sha256": inside.evidence[RECIPE]}},
            "acceptedTerms": list(inside.record.accepted_terms),
            "override": None if inside.record.override is None else inside.record.override.reason,
        },
        "internalParameters": {
            "fingerprint": plan["fingerprint"],
            "seed": plan["values"]["seed"],
            "resolved": plan["resolved"],
            "system": {key: inside.env[key] for key in ("system", "machine", "python")},
        },
        "resolvedDependencies": [_base(inside), *_data(inside), _code(inside)],
    }


def _base(inside: Inside) -> Value:
    base = inside.record.base
    at = "" if base.revision is None else f"/tree/{base.revision}"
    address = {} if base.hub_id is None else {"uri": f"{HUB}{base.hub_id}{at}"}
    return {"name": base.name, **address, "digest": {"sha256": base.weights_sha256}}


def _data(inside: Inside) -> Iterator[Value]:
    for source in inside.sources:
        notes = {"rows": source["rows"], "licence": source["licence"] or None}
        digest = {"sha256": source["sha256"]}
        yield {"name": source["path"], "digest": digest, "annotations": notes}


def _code(inside: Inside) -> Value:
    """The program: its version, and the commit where it ran from a checkout."""
    version, commit = inside.plan["foundry_version"], inside.env.get("commit")
    made: Value = {"uri": f"pkg:pypi/{DISTRIBUTION}@{version}", "name": DISTRIBUTION}
    if commit is not None:
        made["digest"] = {"gitCommit": commit["id"]}
        made["annotations"] = {"modified": commit["modified"]}
    return made


def _details(inside: Inside) -> Value:
    times = {"startedOn": steps.began(inside.steps), "finishedOn": steps.ended(inside.steps)}
    versions = {"foundry": str(inside.plan["foundry_version"]), **_installed(inside.env)}
    plan = inside.plan
    return {
        "builder": {"id": BUILDER, "version": versions},
        "metadata": {
            "invocationId": f"{plan['name']}-{plan['fingerprint'][:8]}",
            **{key: time for key, time in times.items() if time is not None},
        },
        "byproducts": [
            {"name": name, "digest": {"sha256": digest}}
            for name, digest in inside.evidence.items()
            if name != RECIPE
        ],
    }


def _installed(env: Mapping[str, Any]) -> dict[str, str]:
    return {name: version for name, version in env["packages"].items() if version is not None}
