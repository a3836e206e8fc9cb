"""The report of a run that measured nothing, which says so and why; no model is asked."""

from collections.abc import Sequence
from typing import Any

from foundry.core.blocks import Block
from foundry.evals.answers import Item
from foundry.evals.compare import SCHEMA_VERSION, Evidence, method, to_plain
from foundry.evals.wording import say


def measures_nothing(evals: Sequence[Block], items: Sequence[Item]) -> bool:
    """Whether there is nothing to measure, or nothing to measure it on."""
    return not evals or not items


def unmeasured_report(evidence: Evidence, items: Sequence[Item], seed: int) -> dict[str, Any]:
    """The report as `build_report` makes it, without a score.

    Such a recipe has no gate either: a gate names an evaluator, and evaluators need a test part.
    """
    reason = say("no-evals") if items else say("no-test-part")
    report = to_plain(
        {
            "schema_version": SCHEMA_VERSION,
            "title": evidence.title,
            "languages": evidence.languages,
            "method": method(seed),
            "headlines": [reason],
            "gates_passed": True,
            **dict.fromkeys(("gates", "parts", "metrics", "columns"), ()),
            **dict.fromkeys(("scores", "differences", "outcomes", "tables", "telling"), ()),
            **dict.fromkeys(("contamination", "costs", "methods")),
            "curve": evidence.curve,
            "facts": evidence.facts,
        }
    )
    assert isinstance(report, dict)
    return report
