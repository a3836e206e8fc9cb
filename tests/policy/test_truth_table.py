"""The truth table: what is asked, the conflicts and the duties, each with its clause."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundry.models.asked import AdHoc
from foundry.policy import conflicts as conflicts_module
from foundry.policy import use as use_module
from foundry.policy.conflicts import RULES, conflicts
from foundry.policy.use import Use
from foundry.policy.verdict import Verdict

CASES = [
    case
    for path in sorted(Path(__file__).with_name("truth_table").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]
KEYS = {
    *("id", "base", "data", "generated_by", "attribution", "site", "purpose", "commercial"),
    *("distribution", "name", "monthly_users", "accepted"),
    *("conflicts", "must", "must_not", "silent"),
}


def verdict(case: dict[str, Any]) -> Verdict:
    use = Use(
        case["purpose"],
        case.get("commercial"),
        case.get("distribution", "same-terms"),
        case.get("name", "llama-3-x") if case["id"] != "the-acceptance-of-issue-8" else None,
        case.get("monthly_users"),
    )
    question = AdHoc(
        case["base"],
        tuple(case["data"]),
        tuple(case.get("generated_by", ())),
        case.get("attribution"),
        case.get("site"),
        use,
    )
    return replace(question.verdict(), accepted=tuple(case.get("accepted", ())))


def test_table_is_as_long_as_promised_and_names_each_case_once():
    assert len(CASES) >= 60
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert all(set(case) <= KEYS for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_conflicts_are_those_expected_with_their_clauses(case):
    found = [[c.rule, c.licence, c.clause] for c in verdict(case).conflicts]

    assert sorted(found, key=str) == sorted(case["conflicts"], key=str)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_duties_are_told_with_their_clauses(case):
    told = verdict(case).as_dict()

    for kind in ("must", "must_not"):
        found = {(line["licence"], line["clause"]) for line in told[kind]}
        assert {tuple(wanted) for wanted in case.get(kind, ())} <= found
    assert not {x["name"] for x in told["licences"]} & set(case.get("silent", ()))
    assert told["verdict"] == ("refused" if case["conflicts"] else "allowed")


@pytest.mark.parametrize("case", [c for c in CASES if c["conflicts"]], ids=lambda case: case["id"])
def test_every_conflict_is_told_in_both_languages(case):
    for conflict in verdict(case).as_dict()["conflicts"]:
        for said in (conflict["what"], conflict["fix"]):
            assert said["en"].isascii() or "[" in said["en"]
            assert said["zh-TW"] != said["en"]


@pytest.mark.parametrize("rule", RULES)
def test_table_is_red_without_a_rule(rule, monkeypatch):
    monkeypatch.delitem(RULES, rule)

    assert any(
        len(verdict(case).conflicts) < len(case["conflicts"])
        for case in CASES
        if rule in {found[0] for found in case["conflicts"]}
    )


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (use_module, "_leaves_output_alone", lambda _bound: True),
        (use_module, "_leaves_output_alone", lambda _bound: False),
        (conflicts_module, "begins_with", lambda name, prefix: prefix.lower() in name),
        (conflicts_module, "_is_on", lambda address, site: site in (address or "")),
        (Use, "is_commercial", property(lambda self: self.purpose == "commercial")),
    ],
    ids=["no output binds", "all output binds", "prefix anywhere", "site anywhere", "only by name"],
)
def test_table_is_red_under_a_fault(owner, name, value, monkeypatch):
    monkeypatch.setattr(owner, name, value)

    def is_red(case: dict[str, Any]) -> bool:
        made = verdict(case)
        found = [[c.rule, c.licence, c.clause] for c in made.conflicts]
        silent = {one.licence.name for one in made.bound} & set(case.get("silent", ()))
        return bool(silent) or sorted(found, key=str) != sorted(case["conflicts"], key=str)

    assert any(map(is_red, CASES))


def test_every_rule_has_a_case():
    assert {rule for case in CASES for rule, _licence, _clause in case["conflicts"]} == set(RULES)


def test_a_question_about_nothing_has_no_conflict():
    assert conflicts([], Use()) == []
