"""The log-probability of each token of an answer, in float32, for losses of whole answers."""

# B rows side by side, T tokens, S supervised positions, N supervised tokens, R answers, C longest

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy, pad

from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.train.adapter_files import without_update
from foundry.train.losses.head import Head, head_losses, hidden_states

# Of what is in a micro-batch, what a model is given.
FOR_THE_MODEL = ("input_ids", "position_ids", "row_lengths")


@dataclass(frozen=True)
class Answers:
    """Answers side by side: float32 log-probabilities, 0 behind the end, and where a token is."""

    log_probs_RC: torch.Tensor
    mask_RC: torch.Tensor

    @property
    def sums_R(self) -> torch.Tensor:
        """The log-probability of each answer, in nats."""
        return self.log_probs_RC.sum(dim=1)

    @property
    def means_R(self) -> torch.Tensor:
        """The same divided by the tokens of the answer."""
        return self.sums_R / self.mask_RC.sum(dim=1)


def answer_log_probs(
    model: Any, batch: Mapping[str, Any], zeros: Sequence[str], head: Head | None
) -> Answers:
    """Log-probabilities of the supervised tokens of a micro-batch, by row.

    Args:
        model: Takes the micro-batch.
        batch: As `collate` makes it, with `answer_BT`, which answer a position belongs to.
        zeros: Names of further inputs, see `token_type_inputs`.
        head: See `head.py`; None where the model's own logits are used.
    """
    labels_BT, answer_BT = batch["labels"], batch["answer_BT"]
    positions_S = (labels_BT[:, 1:] != IGNORED).any(dim=0).nonzero()[:, 0]
    targets_BS = labels_BT[:, positions_S + 1]
    is_supervised_BS = targets_BS != IGNORED
    given = {name: batch[name] for name in (*FOR_THE_MODEL, *zeros) if name in batch}
    given |= {"logits_to_keep": positions_S, "use_cache": False}
    targets_N = targets_BS[is_supervised_BS]
    if head is None:
        logits_NV = model(**given).logits[is_supervised_BS].float()
        losses_N = cross_entropy(logits_NV, targets_N, reduction="none")
    else:
        with hidden_states(without_update(model)) as seen:
            model(**given)
        losses_N = head_losses(seen[0][is_supervised_BS], head, targets_N)
    return _side_by_side(-losses_N, answer_BT[:, positions_S + 1][is_supervised_BS])


def _side_by_side(log_probs_N: torch.Tensor, answer_N: torch.Tensor) -> Answers:
    """Lay out tokens by the answer they belong to; an answer's tokens are in order."""
    lengths_R = torch.bincount(answer_N)
    order_N = torch.argsort(answer_N, stable=True)
    starts_R = lengths_R.cumsum(0) - lengths_R
    rows_N = answer_N[order_N]
    columns_N = torch.arange(len(rows_N), device=rows_N.device) - starts_R[rows_N]
    shape = (len(lengths_R), int(lengths_R.max()))
    laid_RC = log_probs_N.new_zeros(shape).index_put((rows_N, columns_N), log_probs_N[order_N])
    mask_RC = torch.zeros(shape, dtype=torch.int64, device=rows_N.device)
    mask_RC[rows_N, columns_N] = 1
    return Answers(laid_RC, mask_RC)


def alone(batch: Mapping[str, Any], zeros: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a padded micro-batch one by one, without what they are filled up with."""
    names = [name for name in ("input_ids", "labels", *zeros) if name in batch]
    made = []
    for row, length in enumerate(batch["lengths"]):
        one = {name: batch[name][row : row + 1, :length] for name in names}
        made.append({**one, "answer_BT": torch.zeros_like(one["labels"])})
    return made


def together(answers: Sequence[Answers]) -> Answers:
    """Answers of several passes, in their order."""
    longest = max(one.mask_RC.shape[1] for one in answers)

    def joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([pad(t, (0, longest - t.shape[1])) for t in tensors])

    log_probs_RC = joined([one.log_probs_RC for one in answers])
    return Answers(log_probs_RC, joined([one.mask_RC for one in answers]))


@torch.no_grad()
def by_hand(model: Any, sides: Sequence[tuple[Sequence[int], Sequence[int]]]) -> torch.Tensor:
    """The log-probability of each answer written out: each alone, all logits, shift by one.

    Args:
        model: In the mode it is in.
        sides: Ids and labels.

    Returns:
        Shape (R,), float32 on the CPU, in nats.
    """
    sums = []
    for ids, labels in sides:
        ids_1T = torch.tensor([list(ids)], device=model.device)
        logits_TV = model(input_ids=ids_1T, use_cache=False).logits[0, :-1].float()
        labels_T = torch.tensor(list(labels[1:]), device=model.device)
        at_T = (labels_T != IGNORED).nonzero()[:, 0]
        chosen_N = torch.log_softmax(logits_TV[at_T], dim=-1).gather(1, labels_T[at_T][:, None])
        sums.append(chosen_N.sum().cpu())
    return torch.stack(sums)


def sides_of(rows: Sequence[EncodedRow]) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Ids and labels of the better answers, then of the worse ones where there are any."""
    better = [(row.input_ids, row.labels) for row in rows]
    worse = [(r.rejected_input_ids, r.rejected_labels) for r in rows if r.rejected_input_ids]
    return [*better, *worse]
