"""`foundry openness`: a MOF file, a base model, a package."""

from pathlib import Path

import pytest

from foundry.delivery import package_record
from foundry.delivery.openness import of_name, of_package
from foundry.delivery.package import build_package
from foundry.models.catalogue import load_catalogue
from tests.delivery.made_run import make_run
from tests.tiny_recipe import call

RECORD = """\
framework: {name: Model Openness Framework, version: '1.0', date: '2024-12-15'}
release:
  name: ours
  date: '2026-11-26'
  huggingface: https://huggingface.co/openai/gpt-oss-20b
  license: {distribution: {name: Apache-2.0, path: ''}}
  components:
  - {name: Model architecture}
  - {name: Model parameters (Final)}
  - {name: Technical report, license: a licence of our own}
"""


@pytest.fixture
def mof_file(tmp_path: Path) -> Path:
    path = tmp_path / "ours.yml"
    path.write_text(RECORD, encoding="utf-8")
    return path


def test_file_is_told_as_a_document(mof_file: Path):
    outcome = call("openness", str(mof_file), "--json")
    told = outcome.document

    assert outcome.code == 0
    assert (told["progress"], told["class"]) == ({"1": 14, "2": 20, "3": 33}, 0)
    assert told["axes"] == {"data": "closed", "code": "partial", "weights": "open"}
    assert told["class_is_certain"] is True
    assert told["osaid"]["is_open_source"] is False
    assert "Data card: not given" in told["osaid"]["reasons"]["en"]
    assert "資料卡：未提供" in told["osaid"]["reasons"]["zh-TW"]
    assert told["origin_country"] == "US"
    assert told["revocable"] is True
    assert [t["revocable_on"] for t in told["terms"]] == [["patent-suit"], None]


def test_text_is_in_the_language_in_force(mof_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FOUNDRY_LANG", "zh-TW")

    out = call("openness", str(mof_file)).out

    assert "  權重：完全開放\n" in out
    assert "MOF 等級：- (III 33%, II 20%, I 14%)" in out
    assert "原產國：US" in out


def test_models_of_the_catalogue_are_known_by_their_weights_alone():
    for name, entry in load_catalogue().items():
        told = of_name(name).as_dict()

        known = {c["name"] for c in told["components"] if c["state"] != "unknown"}
        weights = told["axes"]["weights"]
        assert known <= {"Model parameters (Final)"}, name
        assert told["axes"]["data"] == told["axes"]["code"] == "unknown", name
        assert (told["class"], told["class_is_certain"]) == (0, False), name
        assert told["osaid"]["is_open_source"] is (False if weights == "closed" else None), name
        assert told["origin_country"] == entry.origin_country, name


@pytest.mark.parametrize(
    ("name", "weights", "revocable", "law"),
    [
        ("gpt-oss-20b", "open", True, []),
        ("gemma-3-taide-12b", "closed", True, ["TW", "US-CA"]),
        ("llama-3.1-8b", "closed", True, ["US-CA"]),
    ],
)
def test_terms_are_those_of_every_licence_in_play(name, weights, revocable, law):
    told = call("openness", name, "--json").document

    assert told["axes"]["weights"] == weights
    assert (told["revocable"], told["governing_law"]) == (revocable, law)


def test_licence_that_nobody_vouches_for_leaves_the_weights_unknown():
    unsure = [n for n, e in load_catalogue().items() if e.marks.get("licence", "H")[0] in "?N"]
    assert unsure

    told = [of_name(name).openness.axes["weights"] for name in unsure]

    assert set(told) == {"unknown"}


def test_package_holds_its_record_and_says_the_same(tmp_path: Path):
    inputs = make_run(tmp_path)
    package = inputs.run.file(build_package(inputs).path)

    told = call("openness", str(package), "--json").document
    record = call("openness", str(package / "openness.yaml"), "--json").document

    assert (told["kind"], told["axes"]["weights"], told["origin_country"]) == (
        *("package", "closed"),
        "US",
    )
    assert told["components"] == record["components"]
    assert {c["licence"] for c in told["components"]} == {None, "gemma AND CC0-1.0"}


def test_base_in_a_folder_called_as_a_model_has_no_origin(tmp_path: Path):
    inputs = make_run(tmp_path)
    record = package_record.read(inputs.run.file(build_package(inputs).path))
    base = record.base.model_copy(update={"name": "gpt-oss-20b", "hub_id": None})

    assert of_package(record).origin_country == "US"
    assert of_package(record.model_copy(update={"base": base})).origin_country is None


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("gpt-osss-20b", 2, "fix: use `gpt-oss-20b`"),
        ("no-such.yml", 3, "no-such.yml: cannot be read"),
        ("a\0b", 2, "a?b: no name has a NUL character"),
    ],
)
def test_name_that_means_nothing_is_refused(name: str, code: int, said: str):
    outcome = call("openness", name)

    assert outcome.code == code
    assert said in outcome.err


def test_file_of_another_kind_is_refused(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: shop\n", encoding="utf-8")

    outcome = call("openness", str(path))

    assert outcome.code == 1
    assert "release: this key is required" in outcome.err
