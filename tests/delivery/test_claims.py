"""Every number on a card has evidence in the package; `verify` draws each again."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundry.cli.main import main
from foundry.core.errors import ProofError
from foundry.delivery import card, claims, claims_check, sums
from foundry.delivery.claims import Found, Writer
from foundry.delivery.json_path import resolve
from foundry.delivery.package import build_package
from tests.cases import case, change
from tests.delivery.made_run import faults

NOBODY_LOOKS = change(claims_check, "problems", lambda package, cards: iter(()))


def told(package: Path) -> dict[str, Any]:
    return dict(json.loads((package / "claims.json").read_text(encoding="utf-8")))


def edit(path: Path, old: str, new: str) -> None:
    """Change a file once and list its new hash, as someone who means harm would."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="\n")
    package = next(folder for folder in path.parents if (folder / sums.NAME).exists())
    sums.write(package)


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    edit(path, path.read_text(encoding="utf-8"), json.dumps(value, ensure_ascii=False))


def test_every_digit_of_every_card_is_in_a_claim_or_in_the_wording(made_once):
    document = told(made_once)
    names = {one["file"] for one in document["claims"]}
    for name in names:
        lines = (made_once / name).read_text(encoding="utf-8").split("\n")
        spans = [one for part in ("claims", "wording") for one in document[part]]
        for one in (one for one in spans if one["file"] == name):
            at, text = one["column"] - 1, one["text"]
            line = lines[one["line"] - 1]
            assert line[at : at + len(text)] == text
            lines[one["line"] - 1] = line[:at] + "_" * len(text) + line[at + len(text) :]
        assert not re.search(r"\d", "\n".join(lines))
    assert "README.md" in names
    assert {one["text"] for one in document["wording"]} <= {"NF4", "SHA-256", "SHA256SUMS"}


def test_claim_has_the_place_the_evidence_and_the_rounding(made_once):
    report = json.loads((made_once / "foundry/report.json").read_text(encoding="utf-8"))
    low = [one for one in told(made_once)["claims"] if one["text"] == "71.2"]

    assert low
    for one in low:
        number = int(re.fullmatch(r"\$\.scores\[(\d+)\]\.low", one["path"])[1])
        assert (one["file"], one["evidence"]) == ("README.md", "foundry/report.json")
        assert one["value"] == report["scores"][number]["low"] == 0.712406
        assert one["shown"] == "percentage points, 1 decimal"


def test_number_from_nowhere_stops_the_build_and_is_named(inputs, monkeypatch):
    values = card._values
    monkeypatch.setattr(card, "_values", lambda sources: values(sources) | {"base_name": "v7"})

    with pytest.raises(ProofError, match=r"README\.md: a number without evidence.*v7"):
        build_package(inputs)

    assert not inputs.run.file("package").exists()


def test_number_in_a_template_stops_the_build(tmp_path):
    template = tmp_path / "card.jinja"
    template.write_text("Right in 99% of cases.", encoding="utf-8")
    writer = Writer("README.md")

    with pytest.raises(ProofError, match=r"README\.md:1: .*99%"):
        writer.settle(writer.render(template, {}))


def test_joined_text_does_not_smuggle_a_number_in(tmp_path):
    template = tmp_path / "card.jinja"
    template.write_text("{{ found | join(', ') }}", encoding="utf-8")

    with pytest.raises(ProofError, match="without evidence"):
        Writer("README.md").render(template, {"found": Found("a.json", ["b1", "c"])})


@case(
    "edited score",
    {
        "nobody looks": NOBODY_LOOKS,
        "cards are not read": change(
            claims_check, "_card_problems", lambda package, card, told: iter(())
        ),
    },
)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| 12 | 0.0 [0.0, 28.8] | 100.0 [", "| 12 | 0.0 [0.0, 28.8] | 99.0 ["),
        ("value: 1.0", "value: 0.9"),
        ("interval_low: 0.712406", "interval_low: 0.9712406"),
        ("12 of 12 after training", "12 of 12, before 11 of 12, after training"),
        ("50 steps", "500 steps"),
        ("## Limits", "## Limits\n\nAccuracy: 99.9"),
        ("SHA-256 `", "SHA-512 `"),
    ],
)
def test_number_edited_on_the_card_is_named(package, old, new):
    edit(package / "README.md", old, new)

    message = faults(package)

    before = (package / "README.md").read_text(encoding="utf-8").split(new)[0]
    assert f"README.md:{1 + before.count(chr(10)) + new.count(chr(10))}:" in message


def test_edited_score_is_told_with_its_claim_and_ends_with_1(package, capsys):
    edit(package / "README.md", "| 100.0 [71.2", "| 99.0 [71.2")

    assert main(["verify", str(package)]) == 1

    message = capsys.readouterr().err
    assert re.search(r"README\.md:\d+:\d+: .*`99\.0`, its claim is `100\.0`", message)
    assert "(foundry/report.json: $.scores[1].mean)" in message


@case(
    "edited score",
    {
        "nobody looks": NOBODY_LOOKS,
        "evidence is not read": change(
            claims_check, "_evidence_problems", lambda package, told: iter(())
        ),
    },
)
@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("report", lambda v: v["scores"][1].update(mean=0.5), "$.scores[1].mean"),
        ("report", lambda v: v["scores"].pop(), "$.scores[5]"),
        ("manifest", lambda v: v.update(rows_refused=0), "$.rows_refused"),
        ("energy", lambda v: v["training"].update(kwh=0), "$.training.kwh"),
    ],
)
def test_edited_evidence_is_named_with_file_and_claim(package, name, change, where):
    edit_json(package / f"foundry/{name}.json", change)

    message = faults(package)

    assert f"foundry/{name}.json: {where}" in message
    assert "in README.md:" in message


@case(
    "edited score",
    {
        "nobody looks": NOBODY_LOOKS,
        "the text is not drawn again": change(claims_check, "_says", lambda one: True),
    },
)
def test_claim_edited_together_with_the_card_is_named(package):
    edit(package / "README.md", "| 0.0 [0.0, 28.8]", "| 0.0 [0.0, 18.8]")
    edit(package / "claims.json", '"text": "28.8"', '"text": "18.8"')

    assert "`18.8` in README.md:" in faults(package)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "claims.json: not in its form"),
        ("[" * 50_000, "claims.json: not in its form"),
        (
            '{"schema_version": 1, "cards": [], "claims": [], "wording": []}',
            "claims.json: must tell of README.md, data_card.md, ai_basic_act.md (README.md)",
        ),
    ],
)
def test_other_claims_file_is_refused(package, text, found):
    (package / "claims.json").write_text(text, encoding="utf-8")
    sums.write(package)

    assert found in faults(package)


def test_missing_claims_file_is_named(package):
    (package / "claims.json").unlink()
    sums.write(package)

    assert "claims.json: missing" in faults(package)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "none.json"])
def test_evidence_outside_the_package_is_not_read(package, name):  # C77
    edit(package / "claims.json", "foundry/report.json", name)

    assert f"{name}: $.scores[1].mean: " in faults(package)


@pytest.mark.parametrize("key", ["a", "zh-TW", "it's", "back\\slash", "點", "a.b[0]", "", "\n"])
def test_path_leads_back_to_its_value(key):
    values = {key: [{"x": 1}, {key: "found"}]}

    found = Found("a.json", values)[key][1][key]

    assert resolve(values, found._path) == "found"


@pytest.mark.parametrize("path", ["a", "$.a.", "$..a", "$[*]", "$.a[b]", "$[-1]"])
def test_path_of_another_form_is_refused(path):
    with pytest.raises((ValueError, LookupError)):
        resolve({"a": [1]}, path)


@pytest.mark.parametrize("rule", claims.SHOWN)
def test_unknown_value_is_a_dash_by_every_rule(rule):
    assert claims.shown(rule, None) == "–"
