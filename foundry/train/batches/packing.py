"""How a model keeps rows apart that go through it together: asked of the model, not of a list.

First it is tried whether each row can be attended to by itself (`batches/attention.py`),
which needs no mask. Else the class's own mask is tried. Where that takes no notice of position ids
that begin anew either, a row sees the row before: Qwen3.5's and Granite's recurrent layers on the
CPU, and gpt-oss, whose attention is written out (engines.md 7). Then rows of like length lie side
by side. The loss is the same: its sums are divided by the supervised tokens of the whole step each
time (C13, C14).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch

from foundry.core.records import EncodedRow
from foundry.models.reward_model import is_reward_model
from foundry.runtime.shared_prefix import turns_by_length
from foundry.train.adapter_files import without_update
from foundry.train.batches.arrange import Kind
from foundry.train.batches.attention import attention_by_row
from foundry.train.batches.collate import flat, on_device, padded
from foundry.train.inputs import FitInputs

# In standard deviations of the logits. Float32 noise of eighteen tiny classes: 3e-6 at most; what
# the three classes above let through: 9e-3 at least.
LARGEST_NOISE = 1e-3
# In bfloat16, for one decoder layer. Its 8 bits of significand round by up to 2^-8; roundings of
# layer after layer add up as their squares do (Higham and Mary 2019, "A new approach to
# probabilistic rounding error analysis"). Measured on the CPU, rows packed with a mask or padded
# against alone: 5 x 2^-8 x sqrt(layers) at most (0.08 in 18 layers of Gemma 3, 0.09 in 30 of
# SmolLM2). Here twice that. What hides in it is looked for by equality, see `_untouched`.
LARGEST_NOISE_OF_HALF = 10 * 2**-8
# The same of the root mean square over a token's logits. Their largest says as much of the width
# and the vocabulary as of a fault: an 8B Llama on an H100, rows packed against alone, 11.6 x 2^-8 x
# sqrt(layers) among 128,256 logits, and 2.4 in the root mean square. Here twice that. On the CPU,
# random Llamas against float32: 0.7 at a width of 512, 1.6 at 2,048, 2.4 at 4,096.
MEAN_NOISE_OF_HALF = 5 * 2**-8
PROBE_TOKENS = 32
# Settings that say how far back a layer sees; a row longer than one of them is looked at too.
REACHES = ("sliding_window", "attention_chunk_size")

Row = Mapping[str, Any]


@contextmanager
def with_rows_apart(inputs: FitInputs) -> Iterator[FitInputs]:
    """Inside, `inputs` arranged such that no row sees another or what another is filled up with."""
    kind, base = inputs.arrangement.kind, without_update(inputs.model)
    if inputs.arrangement.is_given:
        yield inputs
        return
    if _are_turned_otherwise(base, [*inputs.rows, *inputs.validation]):
        inputs.events.emit("train", "alone")
        yield _arranged(inputs, "single")
        return
    with ExitStack() as stack:
        if kind != "single" and attends_by_row(base, inputs.rows):
            stack.enter_context(attention_by_row(base))
            yield replace(inputs, arrangement=replace(inputs.arrangement, by_row=True))
            return
        if kind == "packed" and not keeps_rows_apart(inputs.model, inputs.rows):
            inputs.events.emit("train", "unpacked")
            kind = "padded"
        if kind == "padded" and not bears_padding(inputs.model, inputs.rows):
            kind = "single"
        yield _arranged(inputs, kind)


def _are_turned_otherwise(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether some rows are so long that what shares a pass with them has other positions.

    transformers 5.24 chooses LongRoPE's factors by the longest of a pass
    (`modeling_rope_utils.py`, `longrope_frequency_update`).
    """
    longest = max(max(len(row.input_ids), len(row.rejected_input_ids)) for row in rows)
    return any(longest > length for length in turns_by_length(model.config.get_text_config()))


def _arranged(inputs: FitInputs, kind: Kind) -> FitInputs:
    return replace(inputs, arrangement=replace(inputs.arrangement, kind=kind))


def attends_by_row(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether rows attended to one by one have the logits that the class gives to each alone.

    `model` is a transformers model. The first two rows are tried, and the longest where it is
    longer than what some layer sees.
    """
    probes = [_beginning(row, PROBE_TOKENS) for row in rows[:2]]
    longest, reach = max(rows, key=lambda row: len(row.input_ids)), _reach(model)
    if len(longest.input_ids) > reach:
        probes.append(_beginning(longest, reach + PROBE_TOKENS))
    alone = [_logits(model, flat([probe]), _ends([probe])) for probe in probes]
    try:
        with attention_by_row(model):
            packed_1SV = _logits(model, flat(probes, by_row=True), _ends(probes))
            is_apart = _untouched(model, probes, by_row=True)
    except (TypeError, ValueError):  # a class that takes no such input, or no such attention
        return False
    return is_apart and _alike(packed_1SV[0], torch.cat(alone, dim=1)[0], model)


def _untouched(model: Any, probes: Sequence[Row], *, by_row: bool) -> bool:
    """Whether the rows after the first have the very same logits when that one has other tokens.

    Equal numbers in equal shapes are equal in every number type.
    """
    if len(probes) < 2:
        return True
    first, *others = probes
    ids = first["input_ids"]
    ends = _ends(probes)[min(len(ids), PROBE_TOKENS) :]
    packs = [[{**first, "input_ids": given}, *others] for given in (ids, ids[::-1])]
    before, after = (_logits(model, flat(pack, by_row=by_row), ends) for pack in packs)
    return torch.equal(before, after)


def _ends(rows: Sequence[Row]) -> torch.Tensor:
    """The positions of the last tokens of each row in a pack of them."""
    positions, border = list[int](), 0
    for row in rows:
        border += len(row["input_ids"])
        positions += range(max(border - len(row["input_ids"]), border - PROBE_TOKENS), border)
    return torch.tensor(positions)


def _reach(model: Any) -> int:
    """Tokens that every layer sees at least."""
    settings = model.config.get_text_config().to_dict()
    return min((settings[name] for name in REACHES if settings.get(name)), default=2**31)


def keeps_rows_apart(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether the second of two rows has the logits it has alone. True where there is one row."""
    if len(rows) < 2:
        return True
    first, second = (_beginning(row, PROBE_TOKENS) for row in rows[:2])
    packed_TV = _logits(model, flat([first, second]))[0, len(first["input_ids"]) :]
    is_alike = _alike(packed_TV, _logits(model, flat([second]))[0], model)
    return is_alike and (
        model.dtype == torch.float32 or _untouched(model, [first, second], by_row=False)
    )


def bears_padding(model: Any, rows: Sequence[EncodedRow]) -> bool:
    """Whether a row that is filled up to another's length has the logits it has alone."""
    short, long = (_beginning(rows[0], tokens) for tokens in (PROBE_TOKENS // 2, PROBE_TOKENS))
    batch, alone_TV = padded([short, long]), _logits(model, flat([short]))[0]
    beside_TV = _logits(model, batch)[0, : len(alone_TV)]
    if not _alike(beside_TV, alone_TV, model):
        return False
    return model.dtype == torch.float32 or torch.equal(
        beside_TV, _logits(model, _filled_otherwise(batch, len(alone_TV)))[0, : len(alone_TV)]
    )


def _filled_otherwise(batch: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """The batch whose first row has the second's ids behind its `tokens`."""
    ids_BT = batch["input_ids"].clone()
    ids_BT[0, tokens:] = ids_BT[1, tokens:]
    return {**batch, "input_ids": ids_BT}


def _beginning(row: EncodedRow, tokens: int) -> dict[str, Any]:
    ids = list(row.input_ids[:tokens])
    return {"id": row.id, "input_ids": ids, "labels": ids}


def _alike(found_TV: torch.Tensor, alone_TV: torch.Tensor, model: Any) -> bool:
    """Whether the logits of each token are the same but for rounding."""
    apart_TV = (found_TV - alone_TV) / alone_TV.std()
    if model.dtype == torch.float32:
        return bool(apart_TV.abs().max() <= LARGEST_NOISE)
    means_T = apart_TV.square().mean(dim=-1).sqrt()
    return bool(means_T.max() <= MEAN_NOISE_OF_HALF * math.sqrt(_layers(model)))


def largest_noise(model: Any) -> float:
    """What a number of a row may differ by in another company, in standard deviations."""
    if model.dtype == torch.float32:
        return LARGEST_NOISE
    return LARGEST_NOISE_OF_HALF * math.sqrt(_layers(model))


def _layers(model: Any) -> int:
    count: int = model.config.get_text_config().num_hidden_layers
    return count


@torch.no_grad()
def _logits(
    model: Any, batch: Mapping[str, Any], positions: torch.Tensor | None = None
) -> torch.Tensor:
    """Float32 logits of a micro-batch at some positions or all, shape (B, T, vocabulary).

    Of a reward model, which has no logits of tokens, the hidden states that its head would read.
    """
    names = ("input_ids", "position_ids", "row_lengths")
    given = on_device({name: batch[name] for name in names if name in batch}, model.device)
    kept = 0 if positions is None else positions.to(model.device)  # 0: transformers' word for all
    was_training = model.training
    model.eval()
    if is_reward_model(without_update(model)):
        found_BTV = model.get_decoder()(**given, use_cache=False).last_hidden_state
        found_BTV = found_BTV if positions is None else found_BTV[:, kept]
    else:
        found_BTV = model(**given, logits_to_keep=kept, use_cache=False).logits
    model.train(was_training)
    logits_BTV: torch.Tensor = found_BTV.float()
    return logits_BTV
