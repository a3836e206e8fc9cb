"""What a parity record must say for its artefact to be handed over.

Read where the record is made and again where a package is verified; needs no model.
"""

from collections.abc import Mapping
from math import floor
from typing import Any

from foundry.core.errors import Problem
from foundry.core.language import gettext as _

# Largest relative deviation of a GGUF adapter's update, scale included: float16 storage.
UPDATE_TOLERANCE = 1e-3
ALWAYS = ("runtime", "tolerance", "texts_with_other_ids", "prompts_with_other_ids")
NEEDED = (
    *ALWAYS,
    *("prefixes", "largest_logprob_difference", "mean_logprob_difference"),
    *("greedy_prompts", "greedy_same", "stopped", "stop_prompts"),
)
# Of a reward model.
REWARDED = ("conversations", "largest_reward_difference", "mean_reward_difference")
NEEDED_OF_REWARDS = (*ALWAYS, *REWARDED, "pairs", "pairs_ordered_alike", "padding")


def says_reward(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a reward model."""
    return "largest_reward_difference" in record


def failures(name: str, record: Mapping[str, Any]) -> list[Problem]:
    """The checks that a record does not pass; empty for a proven artefact."""
    is_of_rewards = says_reward(record)
    needed = NEEDED_OF_REWARDS if is_of_rewards else NEEDED
    missing = [key for key in needed if key not in record]
    if missing:
        what = _("the parity record lacks {keys}").format(keys=", ".join(missing))
        return [Problem(f"export.{name}", what, _("export it again"))]
    shown = {key: value for key, value in record.items() if key not in ("runtime", "texts")}
    again = _("do not use this file; export it again")
    # Of 32 spaces llama.cpp makes 31 and 1 for Gemma, the tokenizer of its makers 16 and 16.
    of_rows = _("rows of the data split into other ids")
    rewrite = _("write these rows without long runs of spaces, or export another kind")
    return [
        Problem(f"export.{name}", f"{what} ({shown})", rewrite if what == of_rows else again)
        for what, passed in (_of_rewards(record) if is_of_rewards else _checks(record)).items()
        if not passed
    ]


def _of_any(record: Mapping[str, Any]) -> dict[str, bool]:
    return {
        _("texts split into other ids"): not record["texts_with_other_ids"],
        _("rows of the data split into other ids"): not record.get("rows_with_other_ids"),
        _("the template in the file makes other prompts"): not record["prompts_with_other_ids"],
        _("the file has another template"): record.get("template_is_trained", True),
    }


def _of_rewards(record: Mapping[str, Any]) -> dict[str, bool]:
    tolerance = record["tolerance"]
    return {
        **_of_any(record),
        _("rewards of conversations differ"): (
            record["largest_reward_difference"] <= tolerance["max"]
            and record["mean_reward_difference"] <= tolerance["mean"]
        ),
        _("pairs are ordered otherwise"): (
            record["pairs_ordered_alike"] >= floor(tolerance["greedy"] * record["pairs"])
        ),
    }


def _checks(record: Mapping[str, Any]) -> dict[str, bool]:
    tolerance = record["tolerance"]
    return {
        **_of_any(record),
        _("log-probabilities of the next token differ"): (
            record["largest_logprob_difference"] <= tolerance["max"]
            and record["mean_logprob_difference"] <= tolerance["mean"]
        ),
        _("greedy answers differ"): (
            record["greedy_same"] >= floor(tolerance["greedy"] * record["greedy_prompts"])
        ),
        _("it does not stop after the answer"): record["stopped"] == record["stop_prompts"],
        _("stop ids are missing in the file"): not record.get("stop_ids_missing"),
        _("tensors differ from the merged weights"): record.get("tensor_difference", 0.0) <= 1.0,
        _("the update differs in scale or value"): (
            record.get("update_difference", 0.0) <= UPDATE_TOLERANCE
        ),
    }
