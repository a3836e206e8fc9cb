"""How open a model is: each rule of `configs/openness/` decides a case written here by hand."""

import json
from pathlib import Path

import pytest
import yaml

from foundry.core.errors import DataError, ResourceError
from foundry.policy import mof, openness
from foundry.policy.openness import CLASSES, Rules, assess, rules
from tests.cases import case, change

REAL = Path("/work/shared/data/openness")
EXPECTED = REAL / "expected.json"
REQUIRED = {c.name: c for c in rules().components if c.required}
BASIC = [name for name, c in REQUIRED.items() if c.mof_class == 3]
EXTRA = [name for name, c in REQUIRED.items() if c.mof_class == 2]


def record(*names: str, general: dict[str, str] | None = None, **own: str) -> str:
    """A MOF file with these components; `own` maps names with `_` for spaces to licences."""
    licences = {scope: {"name": name} for scope, name in (general or {}).items()}
    parts = [{"name": name} for name in names]
    parts += [{"name": n.replace("_", " "), "license": licence} for n, licence in own.items()]
    return yaml.safe_dump({"release": {"name": "m", "license": licences, "components": parts}})


def judged(text: str) -> openness.Openness:
    return assess(mof.parse(text, "m.yml").given(rules()))


def figures(found: openness.Openness) -> tuple[int, int, int, int]:
    return (*(found.progress[level] for level in (1, 2, 3)), found.mof_class)


ALL = {"distribution": "Apache-2.0"}


def without(rule: str, **has: object) -> object:
    return change(openness, "rules", lambda: rules().model_copy(update={rule: has["be"]}))


def test_components_of_the_classes_are_counted_as_the_framework_has_them():
    counts = [sum(c.mof_class >= level for c in REQUIRED.values()) for level in CLASSES]

    assert counts == [6, 10, 14]


@case("stand-in", {"a paper stands in for nothing": without("stand_ins", be=())})
def test_paper_stands_in_for_the_report():
    found = judged(
        record(*(set(REQUIRED) - {"Technical report"}), general={"distribution": "Apache-2.0"})
    )

    assert figures(found) == (100, 100, 100, 1)


@case(
    "cumulative",
    {"a class asks for its own parts alone": change(openness, "CLASSES", (3, 1, 2))},
)
def test_each_class_asks_for_those_below_too():
    no_card = judged(record(*(set(BASIC + EXTRA) - {"Data card"}), general=ALL))

    assert figures(judged(record(*BASIC, general=ALL))) == (43, 60, 100, 3)
    assert figures(judged(record(*BASIC, *EXTRA, general=ALL))) == (71, 100, 100, 2)
    assert figures(no_card) == (64, 90, 83, 0)
    assert list(judged(record(*BASIC, general=ALL)).progress) == [1, 2, 3]
    assert openness.CLASSES == (3, 2, 1)


@case("axes", {"weights are of no axis": change(openness, "AXES", ("data", "code"))})
def test_axes_tell_what_is_given_of_data_code_and_weights():
    found = judged(record("Data card", "Model parameters (Final)", general=ALL))

    assert found.axes == {"data": "partial", "code": "closed", "weights": "open"}


@case("lists", {"every licence is open": change(Rules, "is_open", lambda *a, **k: True)})
@pytest.mark.parametrize(
    ("licence", "is_open"),
    [
        ("Apache-2.0", True),
        ("apache-2.0", True),
        ("CC-BY-SA-4.0", True),
        ("ODC-By-1.0", True),
        ("OpenMDW-1.0", True),
        ("Apache-2.0 AND CC0-1.0", True),
        ("Apache-2.0 AND CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0", False),
        ("llama3.1", False),
        ("arxiv non exclusive", False),
        ("unknown", False),
    ],
)
def test_licence_counts_where_a_list_has_it(licence: str, is_open: bool):
    assert rules().is_open(licence) == is_open
    assert not rules().is_open("CC-BY-ND-4.0")


@pytest.mark.parametrize("kind", ["osi", "fsf", "data", "model"])
def test_each_list_of_open_licences_is_needed(kind: str):
    rest = {one.kind for one in rules().open_licences} - {kind}
    only = next(one for one in rules().open_licences if one.kind == kind)

    assert [name for name in only.names if not rules().is_open(name, rest)]


def _only_distribution(self, known):
    general = self.licences.get("distribution")
    return dict.fromkeys(self.components, general)


@case(
    "precedence", {"the record's licence wins": change(mof.MofRecord, "given", _only_distribution)}
)
def test_own_licence_wins_over_that_of_the_content_and_that_over_the_distribution():
    general = {"distribution": "llama3.1", "document": "CC-BY-4.0"}
    text = record("Model architecture", "Model card", general=general, Data_card="CC-BY-NC-4.0")

    states = {p.component.name: p.state for p in judged(text).parts if p.state != "absent"}

    assert states == {
        "Model architecture": "restricted",
        "Model card": "open",
        "Data card": "restricted",
    }


def test_component_without_any_licence_does_not_count():
    found = judged(record("Datasets"))

    assert figures(found) == (0, 0, 0, 0)
    assert {p.state for p in found.parts} == {"unlicensed", "absent"}


@case("unknown", {"unknown counts": change(openness.Part, "is_open", property(lambda _p: True))})
def test_what_nobody_knows_never_counts_as_open():
    every = dict.fromkeys(REQUIRED, "Apache-2.0")

    found = assess(every, unknown=["Datasets", "Training code"])

    assert figures(found) == (86, 90, 100, 3)
    assert found.axes["data"] == "partial"
    assert found.osaid is None
    assert [p.component.name for p in found.lacking] == ["Training code"]
    assert assess({}, unknown=list(REQUIRED)).axes == dict.fromkeys(openness.AXES, "unknown")


def _no_reason(_known, _parts):
    return []


@case("osaid", {"nothing is lacking": change(openness, "_lacking", _no_reason)})
def test_open_source_needs_data_information_code_and_parameters():
    wants = rules().osaid
    every = [*wants.data_information, *wants.code, *wants.parameters]

    assert judged(record(*every, general=ALL)).osaid is True
    for name in every:
        found = judged(record(*(set(every) - {name}), general=ALL))
        assert (found.osaid, [p.component.name for p in found.lacking]) == (False, [name])


def test_open_source_code_needs_a_licence_that_osi_approved():
    names = [*rules().osaid.data_information, *rules().osaid.parameters]

    found = judged(record(*names, *rules().osaid.code, general={"distribution": "CC-BY-4.0"}))

    assert found.osaid is False
    assert {p.component.content for p in found.lacking} == {"code"}
    assert found.axes == {"data": "partial", "code": "partial", "weights": "open"}


def test_record_that_is_written_is_read_as_it_was():
    made = mof.MofRecord(
        name="店",
        producer="我們",
        licences={"distribution": "Apache-2.0"},
        components={"Model card": "CC-BY-4.0", "Model architecture": None},
    )

    assert mof.parse(mof.dump(made), "m.yml") == made
    assert mof.dump(made) == mof.dump(mof.parse(mof.dump(made), "m.yml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "m.yml"),
        ("release: {components: []}", "m.yml:1:1: release.name: this key is required"),
        ("[]", "m.yml:1:1: must be a block of keys; got a list of 0"),
        ("release: {name: 3}", "m.yml:1:11: release.name: must be text; got the number 3"),
        (record("Data cart"), "(`Data cart`)\n  fix: use `Data card`"),
        (record("Data card", "Data card"), "`Data card` is there twice\n  fix: remove one"),
        ("release: &a {name: *a}", "m.yml:1"),
    ],
)
def test_file_that_is_no_record_is_refused_with_its_place(text: str, said: str):
    with pytest.raises(DataError) as caught:
        mof.parse(text, "m.yml")

    assert said in str(caught.value)


def test_file_that_cannot_be_read_is_refused(tmp_path: Path):
    (tmp_path / "big.yml").write_bytes(b"#" * (mof.MAX_BYTES + 1))
    (tmp_path / "big5.yml").write_bytes("release: 店".encode("big5"))

    with pytest.raises(ResourceError, match="cannot be read"):
        mof.read(tmp_path / "none.yml")
    with pytest.raises(ResourceError, match="cannot be read"):
        mof.read(tmp_path)
    with pytest.raises(DataError, match="larger than any MOF record"):
        mof.read(tmp_path / "big.yml")
    with pytest.raises(DataError, match="not UTF-8"):
        mof.read(tmp_path / "big5.yml")


@pytest.mark.skipif(not EXPECTED.is_file(), reason="the public records are not on this machine")
def test_public_records_have_the_figures_of_the_framework_s_own_rules():
    wanted = json.loads(EXPECTED.read_text(encoding="utf-8"))
    assert set(wanted) == {path.name for path in REAL.glob("*.yml")}

    found = {n: figures(assess(mof.read(REAL / n).given(rules()))) for n in wanted}

    assert found == {
        n: (*(w["progress"][level] for level in "123"), w["class"]) for n, w in wanted.items()
    }
