"""Each row of a pack is attended to by itself, and no mask over the pack is made (C14)."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from foundry.core.records import EncodedRow
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train.batches import attention, collate
from foundry.train.batches.attention import attend, attention_by_row
from foundry.train.batches.packing import attends_by_row, bears_padding, keeps_rows_apart
from tests.cases import case, change

# The tiny Gemma's window is 32: rows shorter, as long, longer, and a pack of several windows.
ROWS = [list(range(start, start + n)) for start, n in ((100, 50), (200, 32), (300, 20), (400, 90))]
KV, HEADS, WIDTH = 2, 6, 8
by_row, row, band = attention.attend, attention._row, attention._band


def as_one(*given: Any, row_lengths: Any = None, **named: Any) -> Any:
    """The rows of a pack are taken for one."""
    return by_row(*given, **named)


def without_window(*given: Any) -> torch.Tensor:
    return row(*given[:-1], None)


def one_more(tokens: int, window: int, device: Any) -> torch.Tensor:
    return band(tokens, window + 1, device)


def other_groups(query: torch.Tensor, *given: Any) -> torch.Tensor:
    """Neighbouring heads do not share keys but every second one does."""
    order = torch.arange(query.shape[1]).view(given[0].shape[1], -1).T.flatten()
    return row(query[:, order], *given)


LEAK = {"rows are one": change(attention, "attend", as_one)}
WINDOW = {
    "the window is forgotten": change(attention, "_row", without_window),
    "the window is one longer": change(attention, "_band", one_more),
}
GROUPS = {"heads share other keys": change(attention, "_row", other_groups)}


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def model(request: pytest.FixtureRequest) -> Any:
    return load_model(locate(str(request.getfixturevalue(request.param)), Path()))


@pytest.fixture(scope="module")
def sliding(tiny_gemma3: Path) -> Any:
    return load_model(locate(str(tiny_gemma3), Path()))


@torch.no_grad()
def logits(model: Any, rows: list[list[int]]) -> torch.Tensor:
    """Of a pack, as the trainer asks for them."""
    dicts = [{"id": "", "input_ids": ids, "labels": ids} for ids in rows]
    batch = collate.flat(dicts, by_row=True)
    given = {name: batch[name] for name in ("input_ids", "position_ids", "row_lengths")}
    with attention_by_row(model):
        return model(**given, use_cache=False).logits[0]


def alone(model: Any, rows: list[list[int]]) -> torch.Tensor:
    """Of each row by itself, with the attention of its class."""
    with torch.no_grad():
        return torch.cat([model(torch.tensor([ids]), use_cache=False).logits[0] for ids in rows])


@case("C14", LEAK)
def test_rows_of_a_pack_are_read_as_each_is_alone(model: Any):
    # Float32: the same sums in another order, over logits of some 30.
    assert (logits(model, ROWS) - alone(model, ROWS)).abs().max() < 1e-4


@case("C14", LEAK | WINDOW)
def test_pack_and_row_longer_than_the_sliding_window_are_read_as_alone(sliding: Any):
    assert sliding.config.sliding_window < len(ROWS[3])

    assert (logits(sliding, ROWS) - alone(sliding, ROWS)).abs().max() < 1e-4


@case("C14", LEAK)
def test_other_tokens_in_one_row_leave_the_others_exactly_as_they_were(model: Any):
    changed = [[token + 50 for token in ROWS[0]], *ROWS[1:]]

    before, after = logits(model, ROWS), logits(model, changed)

    assert torch.equal(before[50:], after[50:])
    assert (before[:50] - after[:50]).abs().max() > 1  # the control


def made_mask(*_given: Any, **_named: Any) -> torch.Tensor:
    raise AssertionError("a mask was made")


def test_no_mask_over_the_pack_is_made(model: Any, monkeypatch: pytest.MonkeyPatch):
    from transformers import masking_utils

    monkeypatch.setattr(masking_utils, "sdpa_mask", made_mask)
    monkeypatch.setitem(masking_utils.AttentionMaskInterface._global_mapping, "sdpa", made_mask)

    logits(model, ROWS)  # does not raise

    with pytest.raises(AssertionError, match="a mask was made"):  # the class's own attention
        batch = collate.flat([{"id": "", "input_ids": ids, "labels": ids} for ids in ROWS])
        model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)


def states(tokens: int, seed: int = 0) -> list[torch.Tensor]:
    """Queries, keys and values, shape (1, heads, tokens, width), that want their gradients."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(1, heads, tokens, WIDTH, generator=generator).requires_grad_()
        for heads in (HEADS, KV, KV)
    ]


@case("C14", LEAK | GROUPS)
@pytest.mark.parametrize("window", [None, 5])
def test_attention_and_gradients_are_those_of_a_mask_over_the_pack(window: int | None):
    lengths, given = [3, 9, 5], states(17)
    number = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))
    back = torch.arange(17)[:, None] - torch.arange(17)
    mask = (number[:, None] == number) & (back >= 0) & (back < (window or 17))
    named = {"scaling": 0.3, "sliding_window": window, "row_lengths": lengths}

    found, _weights = attention.attend(None, *given, None, **named)
    masked = scaled_dot_product_attention(
        *given, attn_mask=mask, scale=0.3, enable_gqa=True
    ).transpose(1, 2)

    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad((made * weights).sum(), given) for made in (found, masked)]
    assert (found - masked).abs().max() < 1e-6
    assert max((a - b).abs().max() for a, b in zip(*gradients, strict=True)) < 1e-5


def test_mask_that_a_class_makes_itself_is_obeyed():
    given = states(6)
    only_itself = torch.eye(6, dtype=torch.bool)[None, None]

    found, _weights = attend(torch.nn.Module(), *given[:1], *given[:1], *given[:1], only_itself)

    assert torch.allclose(found, given[0].transpose(1, 2), atol=1e-6)


def test_attention_is_afterwards_what_it_was(model: Any):
    with pytest.raises(KeyError), attention_by_row(model):
        assert model.config._attn_implementation == attention.NAME
        raise KeyError

    assert model.config._attn_implementation == "sdpa"


def rows_of(*lengths: int) -> list[EncodedRow]:
    return [EncodedRow(str(n), tuple(range(n, 2 * n)), tuple(range(n, 2 * n))) for n in lengths]


def test_model_whose_attention_leaks_is_found_out(sliding: Any, monkeypatch: pytest.MonkeyPatch):
    assert attends_by_row(sliding, rows_of(40, 35))

    monkeypatch.setattr(attention, "attend", as_one)

    assert not attends_by_row(sliding, rows_of(40, 35))


def test_window_that_is_not_handed_on_is_found_out_where_a_row_is_longer(
    sliding: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attention, "_row", without_window)

    assert attends_by_row(sliding, rows_of(30, 20))  # no row is longer than the window of 32
    assert not attends_by_row(sliding, rows_of(30, 20, 60))


def a_little_mixed(*given: Any, row_lengths: Any = None, **named: Any) -> Any:
    """A thousandth of what the rows say as one goes into each: less than bfloat16's noise."""
    apart, _weights = by_row(*given, row_lengths=row_lengths, **named)
    return apart + 1e-3 * by_row(*given, **named)[0], None


def whispered(_layer: Any, _given: Any, out: torch.Tensor) -> torch.Tensor:
    """A thousandth of the first position goes into all; alone, too, where it is the row's own."""
    return out + 1e-3 * out[:, :1]


def test_leak_that_hides_in_the_noise_of_bfloat16_is_found_by_equality(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
):
    half = load_model(locate(str(tiny_llama), Path())).to(torch.bfloat16)
    assert attends_by_row(half, rows_of(40, 35))
    assert keeps_rows_apart(half, rows_of(40, 35))

    monkeypatch.setattr(attention, "attend", a_little_mixed)

    assert not attends_by_row(half, rows_of(40, 35))


def test_leak_through_the_mask_of_a_class_is_found_by_equality_too(tiny_llama: Path):
    half = load_model(locate(str(tiny_llama), Path())).to(torch.bfloat16)
    handle = half.model.layers[0].register_forward_hook(whispered)

    assert not keeps_rows_apart(half, rows_of(40, 35))

    handle.remove()
    assert keeps_rows_apart(half, rows_of(40, 35))


def backwards(_layer: Any, _given: Any, out: torch.Tensor) -> torch.Tensor:
    """A thousandth of the last position goes into all; alone, it is the row's own."""
    return out + 1e-3 * out[:, -1:]


def test_filling_that_is_seen_in_the_noise_of_bfloat16_is_found_by_equality(tiny_llama: Path):
    half = load_model(locate(str(tiny_llama), Path())).to(torch.bfloat16)
    handle = half.model.layers[0].register_forward_hook(backwards)

    assert not bears_padding(half, rows_of(40, 35))

    handle.remove()
    assert bears_padding(half, rows_of(40, 35))
