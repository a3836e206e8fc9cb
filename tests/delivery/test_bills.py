"""`verify` names the line of a bill that says something else than the package's records."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.delivery import bills, sovereignty, sums
from foundry.delivery.card import LICENCES_CONFLICT, ORIGIN_REFUSED
from foundry.delivery.inside import Inside
from foundry.delivery.package import build_package
from foundry.delivery.verify import verify
from foundry.policy import origins
from tests.cases import case, change
from tests.delivery.made_run import BASE, faults, make_run

UNSEEN = {"nobody looks": change(bills, "problems", lambda folder: iter(()))}
POLICY = origins.find("tw_public_sector").model_dump(mode="json", by_alias=True)


def edit(package: Path, name: str, how: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file and list its new hash, as someone who means harm would."""
    path = package / name
    values = json.loads(path.read_text(encoding="utf-8"))
    how(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    sums.write(package)


def came_from(country: str, *, policy: Any = POLICY, said_by: str = "recipe") -> dict[str, Any]:
    base = {"model": "base", "countries": (country,), "organisation": None, "said_by": said_by}
    return {"policy": policy, "base": base, "wrote": ()}


@case("bill", UNSEEN)
@pytest.mark.parametrize(
    ("name", "how", "found"),
    [
        (
            "bom.cdx.json",
            lambda v: v["components"][0]["hashes"][0].update(content="00" * 32),
            "bom.cdx.json: $.components[0].hashes[0].content",
        ),
        (
            "bom.cdx.json",
            lambda v: v["metadata"]["component"]["modelCard"]["quantitativeAnalysis"][
                "performanceMetrics"
            ][0].update(value="0.999"),
            "quantitativeAnalysis.performanceMetrics[0].value",
        ),
        (
            "bom.cdx.json",
            lambda v: v["components"][1]["licenses"].clear(),
            "bom.cdx.json: $.components[1].licenses",
        ),
        ("bom.cdx.json", lambda v: v.update(colour="red"), "not valid CycloneDX 1.6"),
        (
            "bom.cdx.json",
            lambda v: v["metadata"].update(timestamp="2001-01-01T00:00:00Z"),
            "bom.cdx.json: $.metadata.timestamp",
        ),
        (
            "provenance.intoto.json",
            lambda v: v["subject"][0]["digest"].update(sha256="00" * 32),
            "provenance.intoto.json: $.subject[0].digest.sha256",
        ),
        (
            "provenance.intoto.json",
            lambda v: v["predicate"]["runDetails"]["builder"].update(id="https://github.com"),
            "provenance.intoto.json: $.predicate.runDetails.builder.id",
        ),
        (
            "sovereignty.json",
            lambda v: v["steps"][1].update(country="TW", measured_by="kernel"),
            "sovereignty.json: $.steps[1].country",
        ),
        (
            "sovereignty.json",
            lambda v: v["components"][0].update(countries=["TW"]),
            "sovereignty.json: $.components[0].countries",
        ),
    ],
)
def test_edited_line_of_a_bill_is_named_even_if_the_list_was_mended(package, name, how, found):
    edit(package, name, how)

    assert found in faults(package)


@case("bill", UNSEEN)
@pytest.mark.parametrize("name", ["bom.cdx.json", "provenance.intoto.json", "sovereignty.json"])
@pytest.mark.parametrize("become", ["nothing", "no JSON", "a list"])
def test_bill_that_is_none_is_named(package, name, become):
    (package / name).unlink()
    if become != "nothing":
        (package / name).write_text("[" * 100_000 if become == "no JSON" else "[]")
    sums.write(package)

    assert f"{name}: " in faults(package)


@pytest.mark.parametrize("name", ["plan.json", "manifest.json", "report.json", "env.json"])
def test_record_of_another_form_is_refused_and_no_crash(made_once, name, tmp_path):
    package = copied(made_once, tmp_path)
    for become in ("{}", "[]", "null", "{", '{"packages": 3, "sources": 1}'):
        (package / "foundry" / name).write_text(become)

        told = [problem.what for problem in bills.problems(package)]

        assert any("in their form" in what or "in its form" in what for what in told), become


def copied(package: Path, folder: Path) -> Path:
    """Its records and bills alone."""
    for name in ("package.json", "foundry", *bills.BILLS):
        path = package / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / name)
    return folder


def test_links_and_pipes_among_the_records_are_not_read(package, tmp_path):  # C77
    record = package / "foundry" / "plan.json"
    record.unlink()
    os.mkfifo(record)

    assert "foundry/plan.json: links, pipes and devices" in faults(package)


@case("bill", UNSEEN)
def test_base_that_the_policy_excludes_is_named(package):
    edit(package, "foundry/plan.json", lambda v: v.update(sovereignty=came_from("CN")))

    assert "`tw_public_sector` (Public sector of Taiwan) excludes models from CN" in faults(package)


@case("bill", UNSEEN)
def test_origin_that_the_catalogue_knows_better_is_named(package):
    changed = came_from("TW", said_by="catalogue")
    edit(package, "foundry/plan.json", lambda v: v.update(sovereignty=changed))

    assert "the base model's origin is not the catalogue's (TW; it has US)" in faults(package)


def test_policy_that_was_gone_past_stands_in_the_package(tmp_path):
    origin = origins.Origin("base", ("CN",), None, "recipe")
    (conflict,) = origins.refused(origins.find("tw_public_sector"), origin)
    reason = "for research on its bias | approved\nby the ethics board"
    override = {"reason": reason, "conflicts": [vars(conflict)]}
    base = BASE.__class__(**{**vars(BASE), "name": "base", "hub_id": None})
    inputs = make_run(tmp_path, base=base, sovereignty=came_from("CN"), override=override)

    package = inputs.run.file(build_package(inputs).path)

    told = sovereignty.document(Inside.of(package))
    assert verify(package).override == reason
    assert (told["policy"]["verdict"], told["policy"]["excluded_origins"]) == ("overridden", ["CN"])
    card = (package / "README.md").read_text(encoding="utf-8")
    assert "for research on its bias" in card
    assert all(words in card for words in ORIGIN_REFUSED.values())
    assert not any(words in card for words in LICENCES_CONFLICT.values())
    assert card.count("tw_public_sector") == 2


@case("bill", {"any reason is taken": change(sovereignty, "broken", lambda inside: iter(()))})
def test_override_of_licences_is_none_of_the_policy(tmp_path):
    conflict = {"rule": "non-commercial", "where": "a.csv", "licence": "cc-by-nc-4.0"}
    conflict |= {"clause": None, "what": "forbids it", "fix": "use something else"}
    override = {"reason": "allowed by mail", "conflicts": [conflict]}
    base = BASE.__class__(**{**vars(BASE), "name": "base", "hub_id": None})
    inputs = make_run(tmp_path, base=base, sovereignty=came_from("CN"), override=override)
    package = inputs.run.file(build_package(inputs).path)

    assert "excludes models from CN" in faults(package)


def test_provenance_names_what_went_in_and_who_made_it(made_once):
    statement = json.loads((made_once / "provenance.intoto.json").read_text(encoding="utf-8"))
    made = statement["predicate"]["buildDefinition"]
    sums_of = sums.read(made_once).hashes
    by_name = {one["name"]: one for one in made["resolvedDependencies"]}

    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    artefacts = {n: digest for n, digest in sums_of.items() if n.startswith(("adapter/", "gguf-"))}
    assert {s["name"]: s["digest"]["sha256"] for s in statement["subject"]} == artefacts
    recipe = made["externalParameters"]["recipe"]
    assert recipe["digest"]["sha256"] == sums_of[recipe["name"]]
    assert by_name["gemma-3-270m"]["digest"]["sha256"] == BASE.sha256
    assert by_name["customer-service/train.csv"]["digest"]["sha256"] == "ef" * 32
    assert by_name["ai-foundry"]["uri"].startswith("pkg:pypi/ai-foundry@")
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "urn:ai-foundry:builder:self"
    for one in statement["predicate"]["runDetails"]["byproducts"]:
        assert one["digest"]["sha256"] == sums_of[one["name"]]


def test_what_nobody_declared_or_measured_stands_as_such(made_once):
    told = json.loads((made_once / "sovereignty.json").read_text(encoding="utf-8"))

    assert [step["step"] for step in told["steps"]] == [
        *("download", "ingest", "encode", "train", "export", "evaluate", "package")
    ]
    for step in told["steps"]:
        assert (step["country"], step["measured_by"]) == ("not stated", "not measured")
        assert step["hosts"] is None
    assert told["components"][0]["countries"] == ["US"]
    assert told["components"][1]["countries"] == "not stated"
