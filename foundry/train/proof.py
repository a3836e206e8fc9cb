"""The learning proof: what was asked to be learned was learned, and what is saved is what was.

Gate 2 of `cases.md` §1b (C13-C16, C18, C23, C31, C40). Each check raises `ProofError` with what
was found; the numbers go into the run's evidence.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.nn.functional import cross_entropy

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.encode.checks import supervised_tokens
from foundry.encode.tokenize import IGNORED
from foundry.train.batches.collate import on_device
from foundry.train.processes.crew import Crew, whole

# Float32 sums of a few hundred terms in another order; measured 2e-6 on Gemma-3-270m.
LOSS_TOLERANCE = 1e-4
# bfloat16 moves each logit (`LARGEST_NOISE_OF_HALF` in packing.py), and a mean over tokens less.
# Measured on the CPU over 60 to 120 tokens of SmolLM2-135m and Gemma-3-270m, relative: 7e-4 at most
# between rows packed or padded and alone, 1.7e-3 to float32.
LOSS_TOLERANCE_OF_HALF = 1e-2
RELOAD_TOLERANCE = 1e-5
MIN_CHANGE = 1e-3  # of a logit, where a rounding is not more than that; see `rounding`
PROBE_ROWS = 4

Batches = Sequence[dict[str, Any]]


def refuse(where: str, what: str, fix: str | None = None) -> ProofError:
    """The error of a proof that failed."""
    return ProofError(Problem(where, what, fix))


def trainable(model: Any) -> dict[str, torch.Tensor]:
    """The parameters that train, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def updated_layers(model: Any) -> dict[str, int]:
    """How many layers of each name have an update, or train themselves; most first. C18."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    modules = dict(model.named_modules())
    layers = [name for name, m in modules.items() if isinstance(m, BaseTunerLayer)] or [
        name
        for name, m in modules.items()
        if any(p.requires_grad for p in m.parameters(recurse=False))
    ]
    return dict(Counter(name.rsplit(".", 1)[-1] for name in layers).most_common())


def copies(model: Any) -> dict[str, torch.Tensor]:
    """Copies of the trainable parameters before the first step, beside the model on the CPU."""
    return {name: whole(p.detach()).to("cpu", copy=True) for name, p in trainable(model).items()}


def uneven(rows: Sequence[EncodedRow], count: int) -> list[EncodedRow]:
    """`count` rows, those with the fewest supervised tokens first, those with the most last.

    Micro-batches cut from them are as unequal as the data allow: in equal ones an average of
    averages is the average, and the fault of C13 would not show.
    """
    ordered = sorted(rows, key=supervised_tokens)
    count = min(count, len(ordered))
    return [*ordered[: count - count // 2], *ordered[len(ordered) - count // 2 :]]


def loss_tolerance(model: Any) -> float:
    """What a loss may differ by from one by hand, in the numbers that the model computes in."""
    return LOSS_TOLERANCE if model.dtype == torch.float32 else LOSS_TOLERANCE_OF_HALF


def check_collated(micro_batches: Batches, rows: Sequence[EncodedRow]) -> None:
    """The collator keeps every supervised label of the rows, the ends too. C01."""
    seen = Counter(
        label
        for batch in micro_batches
        for label in batch["labels"].flatten().tolist()
        if label != IGNORED
    )
    check_seen(seen, [row_id for batch in micro_batches for row_id in batch["row_ids"]], rows, ())


@torch.no_grad()
def reference_loss(model: Any, rows: Sequence[EncodedRow]) -> float:
    """Mean loss over the supervised tokens of `rows`, written out by hand, each row alone.

    Logits of all positions, the shift by one, float32, no packing, no trainer: what the trainer's
    own number is held against.
    """
    total, count = 0.0, 0
    for row in rows:
        ids_1T = torch.tensor([row.input_ids], device=model.device)
        labels_T = torch.tensor(row.labels[1:], dtype=torch.int64, device=model.device)
        logits_TV = model(input_ids=ids_1T, use_cache=False).logits[0, :-1].float()
        total += float(cross_entropy(logits_TV, labels_T, ignore_index=IGNORED, reduction="sum"))
        count += int((labels_T != IGNORED).sum())
    return total / count


@torch.no_grad()
def loss_probe(
    trainer: Any,
    rows: Sequence[EncodedRow],
    micro_batches: Batches,
    by_hand: Callable[[Any, Sequence[EncodedRow]], float] | None = None,
) -> dict[str, Any]:
    """Compare the trainer's loss of one optimizer step with one by hand. C13, C14, C15.

    Args:
        trainer: Has `compute_loss(model, inputs, num_items_in_batch=...)`.
        rows: The rows of the step.
        micro_batches: The same rows as the collator joins them.
        by_hand: The mean loss over the supervised tokens of rows; `reference_loss` where absent.
    """
    model, was_training = trainer.model, trainer.model.training
    model.eval()
    items = sum(int((batch["labels"] != IGNORED).sum()) for batch in micro_batches)
    found = sum(
        float(trainer.compute_loss(model, on_device(batch, model.device), num_items_in_batch=items))
        for batch in micro_batches
    )
    expected = (by_hand or reference_loss)(model, rows)
    model.train(was_training)
    tolerance = loss_tolerance(model)
    if abs(found - expected) > tolerance * max(1.0, abs(expected)):
        what = _("the trainer's loss is {found:.6f}, by hand it is {expected:.6f}")
        raise refuse("train.loss", what.format(found=found, expected=expected))
    return {"trainer": round(found, 7), "by_hand": round(expected, 7), "rows": len(rows)}


def check_seen(
    seen: Counter[int], visited: Sequence[str], rows: Sequence[EncodedRow], stops: Sequence[int]
) -> dict[str, Any]:
    """The tokens the loss was taken on are those of the shards, stop ids included. C01.

    Args:
        seen: Supervised ids the trainer met, with how often.
        visited: The rows it met, in order, as often as it met them.
        rows: The shards' rows.
        stops: Ids that must be among the supervised, once every row was met: a single text of many
            rows may be trained in part, and its end is then not reached.
    """
    by_id = {row.id: row for row in rows}
    expected: Counter[int] = Counter()
    for row_id in visited:
        # The first token of a row has nothing before it that could predict it.
        row = by_id[row_id]
        learned = (*row.labels[1:], *row.rejected_labels[1:])
        expected.update(label for label in learned if label != IGNORED)
    if seen != expected:
        wrong = {i: (seen[i], expected[i]) for i in seen | expected if seen[i] != expected[i]}
        what = _("the loss was taken on other tokens than encoded (id: found, encoded): {wrong}")
        raise refuse("train.mask", what.format(wrong=dict(list(wrong.items())[:5])))
    is_whole = by_id.keys() <= set(visited)
    missing = [stop for stop in stops if is_whole and not seen[stop]]
    if missing:
        what = _("stop ids were never trained: {missing}")
        raise refuse("train.mask", what.format(missing=missing))
    return {"supervised_tokens": seen.total(), "stops": {str(s): seen[s] for s in stops}}


def check_optimizer(optimized: Iterable[torch.Tensor], model: Any) -> dict[str, Any]:
    """The optimizer moves every trainable tensor, in float32. C23.

    Args:
        optimized: The parameters that it moves.
        model: Whose tensors are to be among them.
    """
    held = {id(p) for p in optimized}
    wrong = [
        name
        for name, p in trainable(model).items()
        if id(p) not in held or p.dtype != torch.float32
    ]
    if wrong:
        what = _("trainable tensors are not float32 or not in the optimizer: {names}")
        raise refuse("train.optimizer", what.format(names=", ".join(wrong[:5])))
    return {"tensors": len(held), "dtype": "float32"}


def check_moved(model: Any, before: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Every trainable tensor differs from its step-0 copy, and no update is zero. C16, C18."""
    now = {name: whole(p.detach()).cpu() for name, p in trainable(model).items()}
    still = [name for name, old in before.items() if torch.equal(now[name], old)]
    if still or not before:
        what = _("{still} of {total} trainable tensors are as they were before training: {names}")
        names = ", ".join(still[:5])
        raise refuse(
            "train.proof",
            what.format(still=len(still), total=len(before), names=names),
            _("train more steps, or look at `adapter.target_modules`"),
        )
    updates = [(name, p) for name, p in model.named_parameters() if ".lora_B." in name]
    zero = [name for name, p in updates if not whole(p.detach()).any()]
    if zero:  # also those that do not train
        what = _("{count} updates are zero: {names}")
        raise refuse("train.proof", what.format(count=len(zero), names=", ".join(zero[:5])))
    change = max(float((now[n] - old).abs().max()) for n, old in before.items())
    return {"tensors": len(before), "moved": len(before), "largest_change": round(change, 6)}


def check_alike(model: Any, crew: Crew) -> dict[str, Any]:
    """What every process holds whole, it has trained to the same bits. C72."""
    if crew.size == 1:
        return {}
    made = {"count": crew.size, "strategy": crew.strategy}
    held = [one for one in trainable(model).values() if not isinstance(one, DTensor)]
    if not held:
        return {"processes": made}
    digest = hashlib.sha256()
    for tensor in held:
        digest.update(tensor.detach().cpu().view(torch.uint8).numpy().tobytes())
    said = crew.heard(digest.hexdigest())
    if others := [f"rank {rank}" for rank, one in enumerate(said) if one != said[0]]:
        what = _("{ranks} trained to other numbers than rank 0").format(ranks=", ".join(others))
        raise refuse("train.proof", what)
    return {"processes": {**made, "alike": len(said)}}


@torch.no_grad()
def next_logits(model: Any, prefixes: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits after each prefix, float32, shape (prefixes, vocabulary); each prefix alone."""
    model.eval()
    logits = []
    for prefix in prefixes:
        ids_1T = torch.tensor([list(prefix)], device=model.device)
        out = model(input_ids=ids_1T, logits_to_keep=1, use_cache=False)
        logits.append(out.logits[0, -1].float())
    return torch.stack(logits)


def probe_prefixes(rows: Sequence[EncodedRow]) -> list[list[int]]:
    """The beginnings of the first rows that `asked` gives."""
    return [list(row.input_ids[: asked(row)]) for row in rows[:PROBE_ROWS]]


def is_text(row: EncodedRow) -> bool:
    """Whether a row has no prompt: it is learned from its second token on, if not its first."""
    return any(label != IGNORED for label in row.labels[:2])


def asked(row: EncodedRow) -> int:
    """How many ids of a row are its prompt; of a plain text, the first half."""
    if is_text(row):
        return max(1, len(row.input_ids) // 2)
    return next(index for index, label in enumerate(row.labels) if label != IGNORED)


def rounding(computed: torch.dtype, logits: torch.Tensor) -> float:
    """What one rounding may change of these logits, where they were not computed in float32.

    The distance from 1 to the next number of the type, 2^-7 for bfloat16, of the largest logit
    (IEEE 754 calls it the unit in the last place).
    """
    return torch.finfo(computed).eps * max(1.0, float(logits.abs().max()))


def check_differs(
    tuned: torch.Tensor, base: torch.Tensor, *, computed: torch.dtype = torch.float32
) -> dict[str, Any]:
    """The adapter changes what the model says, by more than a rounding. C40.

    Args:
        tuned: Logits of the trained model.
        base: Logits of the model before, after the same prefixes.
        computed: The numbers that both were computed in.
    """
    change = float((tuned - base).abs().max())
    least = MIN_CHANGE
    if computed != torch.float32:
        least = max(least, rounding(computed, base))
    if change < least:
        what = _(
            "the tuned model says what the base says (largest change of a logit: {change:.2g})"
        )
        raise refuse("train.proof", what.format(change=change))
    return {"largest_logit_change": round(change, 4)}


def check_reload(
    live: torch.Tensor,
    folder: Path,
    load: Callable[[Path], Any],
    prefixes: Batches | Any,
    *,
    computed: torch.dtype = torch.float32,
    says: Callable[[Any, Any], torch.Tensor] = next_logits,
) -> dict[str, Any]:
    """The adapter on disk, put on the original base, is the live model. C18, C31, C40.

    Equal weights give equal logits, in any number type, as long as a device sums in one order; in
    fewer bits than float32's one rounding is allowed for where it does not.

    Args:
        live: What the live model says after `prefixes`.
        folder: The saved adapter.
        load: Loads the original base anew and puts the adapter of a folder on it.
        prefixes: The probe.
        computed: The numbers that the live model computes in.
        says: What a model says after prefixes.
    """
    difference = float((says(load(folder), prefixes) - live).abs().max())
    most = RELOAD_TOLERANCE * max(1.0, float(live.abs().max()))
    if computed != torch.float32:
        most = rounding(computed, live)
    if not difference <= most:
        what = _("the saved adapter differs from the live model by {difference:.3g} in a logit")
        raise refuse("train.proof", what.format(difference=difference))
    return {"largest_difference": difference, "prefixes": len(prefixes)}
