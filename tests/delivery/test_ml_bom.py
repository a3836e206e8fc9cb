"""The ML-BOM is valid CycloneDX and says what the run's records say."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import ProofError
from foundry.core.load import load_recipe
from foundry.delivery import ml_bom
from foundry.delivery.inside import Inside
from foundry.delivery.package import build_package
from foundry.policy import licence
from tests.cases import case, change
from tests.delivery.made_run import BASE, MANIFEST, make_run


def bill(package: Path) -> dict[str, Any]:
    return dict(json.loads((package / ml_bom.NAME).read_text(encoding="utf-8")))


def strict(document: Any) -> str | None:
    """What the library itself says, asked as its own documentation asks it."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(document, ensure_ascii=False)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else str(error)


def part(document: dict[str, Any], reference: str) -> dict[str, Any]:
    (found,) = (one for one in document["components"] if one["bom-ref"] == reference)
    return dict(found)


@case("bill", {"another word": change(ml_bom, "APPROACHES", {"sft": "by heart"})})
def test_bill_is_valid_for_the_strict_validator(made_once):
    document = ml_bom.document(Inside.of(made_once))

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert strict(document) is None
    assert strict({**document, "colour": "red"}) is not None


def test_invalid_bill_makes_no_package(inputs, monkeypatch):
    monkeypatch.setattr(ml_bom, "APPROACHES", {"sft": "by heart"})

    with pytest.raises(ProofError, match=r"bom\.cdx\.json: not valid CycloneDX 1\.6 \("):
        build_package(inputs)

    assert not inputs.run.file("package").exists()


def test_model_card_names_method_data_and_family(made_once):
    card = bill(made_once)["metadata"]["component"]["modelCard"]
    parameters = card["modelParameters"]

    assert parameters["approach"] == {"type": "supervised"}
    assert (parameters["task"], parameters["architectureFamily"]) == ("text-generation", "gemma3")
    assert parameters["datasets"] == [{"ref": "data-0"}, {"ref": "data-1"}]
    assert card["considerations"]["useCases"] == ["customer-service"]


@case("bill", {"nothing measured": change(ml_bom, "MEASURED", ())})
def test_metrics_are_those_of_the_report_with_their_intervals(made_once):
    inside = Inside.of(made_once)
    found = ml_bom.document(inside)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]
    roles = {column["name"]: column["role"] for column in inside.report["columns"]}
    ours = [s for s in inside.report["scores"] if roles[s["column"]] in ("tuned", "delivered")]

    assert len(found["performanceMetrics"]) == len(ours) == 4
    for metric, score in zip(found["performanceMetrics"], ours, strict=True):
        bounds = metric["confidenceInterval"]
        assert (metric["type"], float(metric["value"])) == (score["metric"], score["mean"])
        assert float(bounds["lowerBound"]) == score["low"] <= score["high"]
        assert f"(n={score['n']})" in metric["slice"]


def test_base_data_artefacts_and_libraries_are_components(made_once):
    document = bill(made_once)
    env = json.loads((made_once / "foundry" / "env.json").read_text(encoding="utf-8"))
    base, data = part(document, "base"), part(document, "data-0")
    files = part(document, "export-adapter")["components"]
    libraries = {c["name"]: c["version"] for c in document["components"] if c["type"] == "library"}

    assert base["hashes"] == [{"alg": "SHA-256", "content": BASE.sha256}]
    assert base["licenses"][0]["license"]["name"] == "Gemma Terms of Use"
    assert data["hashes"][0]["content"] == MANIFEST["sources"][0]["sha256"]
    assert (data["type"], data["licenses"]) == ("data", [{"license": {"id": "CC0-1.0"}}])
    assert data["data"][0]["governance"]["owners"][0]["organization"]["name"] == "AI | Foundry"
    assert [f["name"] for f in files][:1] == ["adapter/adapter_config.json"]
    assert libraries == {n: version for n, version in env["packages"].items() if version}
    assert part(document, f"pkg:pypi/trl@{libraries['trl']}")["licenses"][0] == {
        "expression": "Apache-2.0"
    }
    assert document["metadata"]["tools"]["components"][0]["name"] == "foundry"


def test_every_reference_is_there_once(made_once):
    document = bill(made_once)
    references = [component["bom-ref"] for component in document["components"]]

    assert len(set(references)) == len(references)
    assert document["dependencies"] == [{"ref": "model", "dependsOn": references}]


@pytest.mark.parametrize("name", sorted(licence.load_licences()))
def test_every_licence_has_a_valid_form(made_once, name):
    document = bill(made_once)
    document["components"][0]["licenses"] = ml_bom._licences([licence.find(name)])

    assert strict(document) is None


def test_serial_number_is_that_of_the_content(made_once):
    inside = Inside.of(made_once)
    one = ml_bom.document(inside)
    other = ml_bom.document(Inside(**{**vars(inside), "env": {"packages": {}}}))

    assert one["serialNumber"] == bill(made_once)["serialNumber"]
    assert one["serialNumber"] != other["serialNumber"]


def test_override_is_among_the_considerations(tmp_path):
    conflict = {
        "rule": "non-commercial",
        "where": "a.csv",
        "licence": "cc-by-nc-4.0",
        "clause": None,
        "what": "forbids it",
        "fix": "use something else",
    }
    override = {"reason": "a court said so", "conflicts": [conflict]}
    package = make_run(tmp_path, override=override)

    document = bill(package.run.file(build_package(package).path))

    told = document["metadata"]["component"]["modelCard"]["considerations"]
    assert "a court said so" in told["ethicalConsiderations"][0]["name"]
    assert strict(document) is None


def test_trainers_that_are_not_told_the_answer_are_named():
    assert load_recipe("retail/customer-service").values["train"]["kind"] not in ml_bom.APPROACHES
    assert set(ml_bom.APPROACHES) == {"grpo", "pretrain"}
