"""Each duty of the licences is in the package, and `verify` names the one that is taken out."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.errors import LicenceError, ProofError
from foundry.delivery import package_record, sums
from foundry.delivery.package import build_package
from foundry.delivery.verify import verify
from foundry.policy import licence
from foundry.policy.duties import Duty, duties
from foundry.policy.use import Bound
from tests.delivery.left_out import named_when_left_out
from tests.delivery.made_run import BASE, make_run

STATEMENT = "內政部 [2026] 不動產成交案件實際資訊 v2"
TAIDE = Bound("base_model", licence.find("taide-g"), "base", site="https://taide.tw")
OGDL = Bound("gov.csv", licence.find("ogdl-1.0"), "data", attribution=STATEMENT)
EXPORTS = ("adapter", "gguf-q8_0")
DUTIES = duties([TAIDE, OGDL], EXPORTS)
OTHERS = duties(
    [
        Bound("base_model", licence.find("llama3.1"), "base"),
        Bound("a.csv", licence.find("cc-by-sa-4.0"), "data", attribution="王小明，方言語料"),
        Bound("a.csv (qwen2.5-3b)", licence.find("qwen-research"), "generated-by"),
    ],
    EXPORTS,
)


def told(bound: Bound) -> dict[str, str | None]:
    said = {"site": bound.site, "attribution": bound.attribution}
    return {"of": bound.of, "licence": bound.licence.name, "role": bound.role, **said}


def made(folder: Path, bound: list[Bound], texts: tuple[str, ...], **plan_has: object) -> Path:
    """A package under the given licences, with the texts that its owner brought."""
    inputs = make_run(
        folder,
        base=replace(BASE, name="base", hub_id=None, licence=bound[0].licence.name),
        licences=tuple(map(told, bound)),
        accepted_terms=("gemma", "taide-g"),
        **plan_has,
    )
    for name in texts:
        (folder / f"{name}.pdf").write_bytes(b"%PDF-1.7 the terms as their licensor gives them")
    held = {"licence_texts": {name: f"{name}.pdf" for name in texts}}
    values = {**inputs.plan.values, "package": {**inputs.plan.values["package"], **held}}
    inputs = replace(inputs, plan=replace(inputs.plan, values=values))
    return inputs.run.file(build_package(inputs).path)


@pytest.fixture(scope="module")
def taide_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gemma = Bound("base_model", licence.find("gemma"), "built-on")
    return made(tmp_path_factory.mktemp("taide"), [TAIDE, gemma, OGDL], ("taide-g",))


def keys(found: list[Duty]) -> set[tuple[str, ...]]:
    return {(d.licence.name, d.clause or "", d.kind, d.file, d.wanted) for d in found}


def test_taide_with_government_data_has_each_kind_of_duty():
    asked = {(duty.licence.name, duty.file) for duty in DUTIES}

    assert {
        *(("taide-g", name) for name in ("licences/taide-g.*", "NOTICE", "README.md")),
        *(("taide-g", name) for name in ("CHANGES.md", "LICENCE.md")),
        *(("gemma", name) for name in ("licences/GEMMA_TERMS_OF_USE.txt", "NOTICE", "CHANGES.md")),
        ("gemma", "licences/GEMMA_PROHIBITED_USE_POLICY.txt"),
        *(("ogdl-1.0", name) for name in ("licences/OGDL-Taiwan-1.0.txt", "NOTICE", "LICENCE.md")),
    } <= asked
    assert len(DUTIES) > 40


def test_whole_package_keeps_every_duty(taide_once):
    record = package_record.read(taide_once)

    assert keys(record.duties()) == keys(DUTIES)
    assert verify(taide_once).licences == ("taide-g", "gemma", "ogdl-1.0")
    assert STATEMENT in (taide_once / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(len(DUTIES)))
def test_verify_names_the_duty_that_was_left_out(taide_once, number):
    assert named_when_left_out(taide_once, DUTIES[number])


@pytest.mark.parametrize("number", range(len(OTHERS)))
def test_duties_of_llama_share_alike_and_output_are_named_too(others_once, number):
    assert named_when_left_out(others_once, OTHERS[number])


@pytest.fixture(scope="module")
def others_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bound = [
        Bound("base_model", licence.find("llama3.1"), "base"),
        Bound("a.csv", licence.find("cc-by-sa-4.0"), "data", attribution="王小明，方言語料"),
        Bound("a.csv (qwen2.5-3b)", licence.find("qwen-research"), "generated-by"),
    ]
    return made(tmp_path_factory.mktemp("others"), bound, (), name="llama-shop")


def test_package_without_the_text_that_its_owner_must_bring_is_not_made(tmp_path):
    with pytest.raises(LicenceError, match=r"licences/taide-g\.\*"):
        made(tmp_path, [TAIDE, OGDL], ())


OVERRIDE = {
    "reason": "法務確認中",
    "conflicts": [
        {
            "rule": "no-attribution",
            "where": "gov.csv",
            "licence": "ogdl-1.0",
            "clause": "三(二) / 3.2",
            "what": "counts as never granted",
            "fix": "add it",
        }
    ],
}


@pytest.fixture(scope="module")
def tainted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bound = [TAIDE, replace(OGDL, attribution=None)]
    folder = tmp_path_factory.mktemp("tainted")
    return made(folder, bound, ("taide-g",), override=OVERRIDE)


@pytest.fixture
def tainted(tainted_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tainted_once, tmp_path / "package"))


def test_card_says_in_both_languages_that_a_conflict_was_gone_past(tainted_once):
    card = (tainted_once / "README.md").read_text(encoding="utf-8")

    assert "> **⚠ 授權條款有衝突，製作者仍繼續製作。**" in card
    assert "> **⚠ The licences conflict, and the maker went on all the same.**" in card
    assert card.count("法務確認中") == 2
    assert "（ogdl-1.0，第 三(二) / 3.2 條）" in card
    assert verify(tainted_once).override == "法務確認中"


@pytest.mark.parametrize("words", ["授權條款有衝突，製作者仍繼續製作。", "法務確認中"])
def test_verify_finds_that_the_card_hides_it(tainted, words):
    card = tainted / "README.md"
    card.write_text(card.read_text(encoding="utf-8").replace(words, ""), encoding="utf-8")
    sums.write(tainted)

    with pytest.raises(ProofError, match="does not say what its maker went past"):
        verify(tainted)
