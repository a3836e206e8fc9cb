"""Reward `required-facts`: the answer states the facts its row requires and none it forbids.

Judged as the evaluator of the same name judges (`foundry.data.facts`), so that what is learned is
what is measured.
"""

from typing import Literal

from pydantic import Field

from foundry.core.records import Example
from foundry.data.facts import FactColumns, Facts, listed
from foundry.train.losses.rewarding import RewardSpec, Said


class Spec(FactColumns, RewardSpec):
    """Where the facts stand, and what a part of them is worth."""

    credit: Literal["all", "share"] = Field(
        "all",
        description="`all` gives 1 only for every required fact, as the evaluator counts; `share` "
        "gives the share of them. An answer with a forbidden text gets 0 either way.",
    )


def reward(example: Example, said: Said, spec: Spec) -> float | None:
    """0.0 to 1.0; None where the row requires nothing."""
    required = listed(example.fields.get(spec.required, ""))
    if not required:
        return None
    forbidden = listed(example.fields.get(spec.forbidden, "")) if spec.forbidden else ()
    facts = Facts(required, forbidden)
    return facts.share(said.text) if spec.credit == "share" else float(facts.hold(said.text))
