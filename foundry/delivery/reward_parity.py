"""The parity record of a reward model: transformers reads from the artefact what the live one says.

The artefact is opened by transformers' own class, as its user opens it, and conversations go
through it side by side, filled up at either end, so that the place where the reward is read is
proven too. Ids and prompts are compared as for an artefact that answers (C34, C35, C37).
"""

# N conversations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core.errors import ProofError
from foundry.core.records import EncodedRow
from foundry.delivery.artefact import Tuned
from foundry.delivery.parity import folder_template, spread, templates, token_ids
from foundry.delivery.parity_record import failures
from foundry.models.quiet import quiet
from foundry.models.tokenizer import open_tokenizer
from foundry.runtime.rewards import rewards_of
from foundry.runtime.transformers import TransformersRuntime

PAIRS, AT_ONCE = 16, 4
SIDES = ("right", "left")


@dataclass(frozen=True)
class Rewarded:
    """What the live model says of conversations: both of each pair, the better ones first."""

    conversations: Sequence[Sequence[int]]
    rewards: Sequence[float]


def rewarded(tuned: Tuned, rows: Sequence[EncodedRow]) -> Rewarded:
    """The rewards of pairs spread over the training rows, by the live model, each read alone."""
    chosen = spread(rows, PAIRS)
    better = [row.input_ids for row in chosen]
    conversations = [*better, *(row.rejected_input_ids for row in chosen)]
    return Rewarded(conversations, rewards_of(tuned.model, conversations).tolist())


def prove_rewards(
    tuned: Tuned, live: Rewarded, artefact: Any, out: Path, tolerance: Mapping[str, float]
) -> dict[str, Any]:
    """Compare an artefact with the live model and return the record.

    Args:
        tuned: The trained model.
        live: What it says.
        artefact: The same opened from `out` by transformers.
        out: The folder of the artefact, with its tokenizer.
        tolerance: Largest and mean difference of a reward, in units of the largest reward where
            that is above 1, and the share of the pairs that must be ordered alike.

    Raises:
        ProofError: Names each check that failed.
    """
    tokenizer, most = open_tokenizer(out), max(1.0, *map(abs, live.rewards))
    asked = TransformersRuntime(artefact, tokenizer)
    found = {side: _padded_rewards(artefact, tokenizer, live, side) for side in SIDES}
    off = [
        abs(a - b) / most
        for said in found.values()
        for a, b in zip(said, live.rewards, strict=True)
    ]
    alike = [_orders(said) for said in found.values()]
    wanted = _orders(live.rewards)
    record = {
        "runtime": asked.name,
        "tolerance": dict(tolerance),
        **token_ids(tuned, asked),
        **templates(tuned, asked, folder_template(out)),
        "labels": artefact.config.num_labels,
        "conversations": len(live.conversations),
        "padding": tokenizer.pad_token,
        "largest_reward_difference": round(max(off), 6),
        "mean_reward_difference": round(sum(off) / len(off), 6),
        "pairs": len(wanted),
        "pairs_ordered_alike": min(sum(map(bool.__eq__, one, wanted)) for one in alike),
    }
    problems = failures(out.name, record)
    if problems:
        raise ProofError(problems)
    return record


def _orders(rewards: Sequence[float]) -> list[bool]:
    half = len(rewards) // 2
    return [a > b for a, b in zip(rewards[:half], rewards[half:], strict=True)]


def _padded_rewards(artefact: Any, tokenizer: Any, live: Rewarded, side: str) -> list[float]:
    """What the class itself says of conversations that are filled up on one side."""
    import torch

    found: list[float] = []
    with quiet(), torch.no_grad():
        for start in range(0, len(live.conversations), AT_ONCE):
            rows = [list(ids) for ids in live.conversations[start : start + AT_ONCE]]
            given = tokenizer.pad({"input_ids": rows}, padding_side=side, return_tensors="pt")
            found += artefact(**given).logits[:, 0].float().tolist()
    return found
