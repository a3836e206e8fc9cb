"""`bom.cdx.json`: what a package is made of, as a CycloneDX 1.6 ML-BOM.

https://cyclonedx.org/docs/1.6/json/. The library `cyclonedx-python-lib` has no class for a model
card (11.12), so the document is plain JSON; the library's strict validator has the last word.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from foundry.core import atomic
from foundry.delivery.card import taint
from foundry.delivery.inside import Inside
from foundry.delivery.package_record import Artefact
from foundry.policy import licence as policy
from foundry.policy import spdx
from foundry.policy.licence import Licence
from foundry.policy.use import binding
from foundry.train.gives import gives_reward

NAME = "bom.cdx.json"
MODEL, BASE = "model", "base"
HUB = "https://huggingface.co/"
PACKAGE_INDEX = "pkg:pypi"
# CycloneDX's words for how a model learns; every other trainer here is told the right answer.
APPROACHES = {"grpo": "reinforcement-learning", "pretrain": "self-supervised"}
MEASURED = ("tuned", "delivered")  # columns of the report that are this model

Part = dict[str, Any]


def document(inside: Inside) -> dict[str, Any]:
    """The bill of a package.

    Its serial number is a hash of all the rest, so the same package always has the same.
    """
    timestamp = inside.steps["made"]
    parts = [_base(inside), *_datasets(inside), *_exports(inside), *_libraries(inside.env)]
    body = {
        "version": 1,
        "metadata": {
            **({} if timestamp is None else {"timestamp": timestamp}),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [_tool(inside)]},
            **_author(inside),
            "component": _model(inside),
        },
        "components": parts,
        "dependencies": [{"ref": MODEL, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sha256:{atomic.fingerprint(body)}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        **body,
    }


def fault(text: str) -> str | None:
    """What CycloneDX's strict JSON validator says against a bill; None where it is valid."""
    error = _validator().validate_str(text)
    return None if error is None else str(error).splitlines()[0]


@cache
def _validator() -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


def _tool(inside: Inside) -> Part:
    version = str(inside.plan["foundry_version"])
    licence: Part = {"license": {"id": "Apache-2.0"}}
    return {"type": "application", "name": "foundry", "version": version, "licenses": [licence]}


def _author(inside: Inside) -> Part:
    author = inside.plan["values"]["package"]["author"]
    return {} if author is None else {"authors": [{"name": author}]}


def _model(inside: Inside) -> Part:
    record, values = inside.record, inside.plan["values"]
    bound = {one.licence.name: one.licence for one in binding(record.bound())}
    told = values["description"] or values["title"]
    return {
        "bom-ref": MODEL,
        "type": "machine-learning-model",
        "name": record.name,
        "version": record.version,
        "description": told["en"],
        "licenses": _licences(bound.values()),
        "modelCard": {
            "modelParameters": _parameters(inside),
            "quantitativeAnalysis": {"performanceMetrics": list(_metrics(inside.report))},
            "considerations": _considerations(inside),
        },
    }


def _parameters(inside: Inside) -> Part:
    plan = inside.plan
    judges = gives_reward(plan["values"]["train"]["kind"])
    return {
        "approach": {"type": APPROACHES.get(plan["values"]["train"]["kind"], "supervised")},
        "task": "text-classification" if judges else "text-generation",
        "architectureFamily": plan["base"]["family"],
        "datasets": [{"ref": part["bom-ref"]} for part in _datasets(inside)],
        "inputs": [{"format": "text"}],
        "outputs": [{"format": "number" if judges else "text"}],
    }


def _metrics(report: Mapping[str, Any]) -> Iterator[Part]:
    """Each score of the tuned model and of the delivered file, with its 95 % interval."""
    roles = {column["name"]: column["role"] for column in report["columns"]}
    for score in report["scores"]:
        role = roles[score["column"]]
        if role in MEASURED and score["mean"] is not None:
            interval = {"lowerBound": str(score["low"]), "upperBound": str(score["high"])}
            yield {
                "type": score["metric"],
                "value": str(score["mean"]),
                "slice": f"{score['part']}, {role} (n={score['n']})",
                "confidenceInterval": interval,
            }


def _considerations(inside: Inside) -> Part:
    use, report, override = inside.record.use, inside.report, inside.record.override
    rows = sum(part["n"] for part in report["parts"])
    parts = len(report["parts"])
    limit = f"Measured on {rows} rows in {parts} parts; of other uses nothing is known."
    made: Part = {
        "users": [f"distribution: {use.distribution}"],
        "useCases": [use.purpose],
        "technicalLimitations": [limit],
    }
    if override is not None:
        said = [words["en"] for words in taint(conflict.rule for conflict in override.conflicts)]
        words = " ".join([*said, f"Reason: {override.reason}"])
        made["ethicalConsiderations"] = [{"name": words}]
    return made


def _base(inside: Inside) -> Part:
    base = inside.record.base
    bound = [one.licence for one in inside.record.bound() if one.role in ("base", "built-on")]
    site = next((one.site for one in inside.record.terms if one.role == "base" and one.site), None)
    address = site or (HUB + base.hub_id if base.hub_id else None)
    revision = {} if base.revision is None else {"version": base.revision}
    at = f"@{base.revision}" if base.revision else ""
    return {
        "bom-ref": BASE,
        "type": "machine-learning-model",
        "name": base.hub_id or base.name,
        **revision,
        "hashes": [_sha256(base.weights_sha256)],
        "licenses": _licences(bound),
        **({"purl": f"pkg:huggingface/{base.hub_id}{at}"} if base.hub_id else {}),
        **_distributed_at(address),
    }


def _distributed_at(address: str | None) -> Part:
    return {} if address is None else {"externalReferences": [_reference(address)]}


def _reference(address: str) -> Part:
    return {"type": "distribution", "url": address}


def _datasets(inside: Inside) -> Iterator[Part]:
    """One component for each file of data."""
    for number, source in enumerate(inside.sources):
        learned, by = bool(source["licence"]), source["declaration"].get("by")
        owner: Part = {"governance": {"owners": [{"organization": {"name": by}}]}} if by else {}
        role = "learned from" if learned else "tested on"
        yield {
            "bom-ref": f"data-{number}",
            "type": "data",
            "name": source["path"],
            "description": f"{source['rows']} rows, {role}",
            "hashes": [_sha256(source["sha256"])],
            **({"licenses": _licences(policy.named(source["licence"]))} if learned else {}),
            "data": [{"type": "dataset", "name": source["path"], **owner}],
        }


def _exports(inside: Inside) -> Iterator[Part]:
    """One component for each artefact, with its files."""
    for export in inside.record.exports:
        yield {
            "bom-ref": f"export-{export.path}",
            "type": "machine-learning-model",
            "name": export.path,
            "description": f"{export.kind}, {export.size_bytes} bytes",
            "components": list(_files(export)),
        }


def _files(export: Artefact) -> Iterator[Part]:
    for name, digest in export.files.items():
        yield {"type": "file", "name": name, "hashes": [_sha256(digest)]}


def _libraries(env: Mapping[str, Any]) -> Iterator[Part]:
    """The Python libraries that the run was planned with."""
    for name, version in env["packages"].items():
        if version is None:
            continue
        address = f"{PACKAGE_INDEX}/{name.lower().replace('_', '-')}@{version}"
        licence = env.get("licences", {}).get(name)
        yield {
            "bom-ref": address,
            "type": "library",
            "name": name,
            "version": version,
            **({} if licence is None else {"licenses": [_said(licence)]}),
            "purl": address,
        }


def _said(licence: str) -> Part:
    """A library's licence: an SPDX expression where its makers wrote one, else their words."""
    expression = spdx.identifier(licence)
    return {"license": {"name": licence}} if expression is None else {"expression": expression}


def _licences(found: Iterable[Licence]) -> list[Part]:
    """By SPDX identifier; a licence that is not on the list by its title and address."""
    return [{"license": {"id": x.spdx} if x.spdx else _named(x)} for x in found]


def _named(licence: Licence) -> Part:
    address = {} if licence.url is None else {"url": licence.url}
    return {"name": licence.title.en, **address}


def _sha256(digest: str) -> Part:
    return {"alg": "SHA-256", "content": digest}
