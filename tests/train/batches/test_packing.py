"""Rows that lie in one sequence do not see each other, or none shares one (C14)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import ProofError
from foundry.core.events import Event
from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.train import fitting
from foundry.train.batches import attention, collate, packing
from foundry.train.inputs import FitInputs
from foundry.train.losses import supervised
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.tiny_run import Setup, fast, open_run

A, B = [20, 21, 22, 23, 24], [30, 31, 32, 33]
ROWS = {"A": A, "other A": [40, 41, 42, 43, 44], "B": B}
flat, loss, attend = collate.flat, supervised.supervised_loss, attention.attend


def going_on(rows: Any, **named: Any) -> dict[str, Any]:
    """The collator numbers the tokens of a pack from the first to the last."""
    batch = flat(rows, **named)
    return {**batch, "position_ids": torch.arange(batch["input_ids"].shape[1])[None]}


def with_a_mask(model: Any, inputs: dict[str, Any], head: Any = None) -> torch.Tensor:
    """An all-ones mask goes along, which turns packed detection off (transformers PR 46634)."""
    mask = torch.ones_like(inputs["input_ids"])
    handle = model.register_forward_pre_hook(
        lambda _module, args, kwargs: (args, {**kwargs, "attention_mask": mask}), with_kwargs=True
    )
    try:
        return loss(model, inputs, head)
    finally:
        handle.remove()


def without_positions(model: Any, inputs: dict[str, Any], head: Any = None) -> torch.Tensor:
    """The model is not told where a row begins."""
    return loss(model, {**inputs, "position_ids": None}, head)


SEEN = {
    "positions go on": change(collate, "flat", going_on),
    "a mask of ones goes along": change(supervised, "supervised_loss", with_a_mask),
    "no position is told": change(supervised, "supervised_loss", without_positions),
}
FIRST = {"first tokens stay": change(collate, "_without_first", list)}


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_gemma3"])
def model(request: pytest.FixtureRequest) -> Any:
    made = load_model(locate(str(request.getfixturevalue(request.param)), Path()))
    assert made.config._attn_implementation == "sdpa"
    return made


def pack(*names: str) -> dict[str, Any]:
    """Rows of which every token is supervised, as the product joins them."""
    rows = [{"id": name, "input_ids": ROWS[name], "labels": ROWS[name]} for name in names]
    return collate.flat(rows)


@torch.no_grad()
def logits(model: Any, *names: str) -> torch.Tensor:
    """What the product's loss saw: logits that predict the tokens of `names`, first ones apart."""
    seen: list[torch.Tensor] = []
    handle = model.register_forward_hook(lambda _module, _args, out: seen.append(out.logits[0]))
    try:
        supervised.supervised_loss(model, pack(*names))
    finally:
        handle.remove()
    return seen[0]


@case("C14", SEEN | FIRST)
def test_row_in_a_pack_is_read_as_it_is_alone(model: Any):
    packed, alone = logits(model, "A", "B"), logits(model, "B")

    assert len(packed) == (len(A) - 1) + (len(B) - 1)
    assert (packed[len(A) - 1 :] - alone).abs().max() <= 1e-5


@case("C14", SEEN)
def test_other_tokens_in_the_row_before_change_nothing(model: Any):
    packed, other = logits(model, "A", "B"), logits(model, "other A", "B")

    assert torch.equal(packed[-3:], other[-3:])
    assert not torch.equal(packed[:-3], other[:-3])


@case("C14", {"positions go on": SEEN["positions go on"], **FIRST})
def test_every_row_begins_at_0_and_its_first_token_is_never_a_target():
    batch = pack("A", "B")

    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]
    assert batch["labels"].tolist() == [[IGNORED, *A[1:], IGNORED, *B[1:]]]


@case("C14", SEEN | FIRST)
def test_loss_of_a_pack_weighs_its_rows_by_their_tokens(model: Any):
    def mean(*names: str) -> float:
        batch = pack(*names)
        with torch.no_grad():
            total = supervised.supervised_loss(model, batch)
        return float(total / (batch["labels"] != IGNORED).sum())

    by_tokens = (4 * mean("A") + 3 * mean("B")) / 7

    assert mean("A", "B") == pytest.approx(by_tokens, rel=1e-5)


def mixing(
    module: Any, q: Any, k: Any, v: Any, mask: Any, *, row_lengths: Any = None, **named: Any
) -> Any:
    """Attention that takes the rows of a pack for one."""
    return attend(module, q, k, v, mask, **named)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> str:
    """An attention backend that takes no mask: each token sees all before it."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_utils import AttentionInterface

    def unmasked(module: Any, q: Any, k: Any, v: Any, _mask: Any, **options: Any) -> Any:
        return sdpa_attention_forward(module, q, k, v, None, **options)

    monkeypatch.setitem(AttentionInterface._global_mapping, "blind", unmasked)
    monkeypatch.setattr(attention, "attend", mixing)
    return "blind"


@contextmanager
def packed_anyway(inputs: FitInputs) -> Iterator[FitInputs]:
    yield inputs


@case("C14", {"rows are packed anyway": change(fitting, "with_rows_apart", packed_anyway)})
def test_backend_that_mixes_rows_gets_them_one_by_one(tiny_llama: Path, tmp_path: Path, blind: str):
    heard = list[Event]()
    inputs = open_run(Setup(tiny_llama), tmp_path, heard.append)
    inputs.model.set_attn_implementation(blind)

    result = sft.fit(inputs, fast(4))

    assert "unpacked" in [event["event"] for event in heard]
    assert ("packing", "none") in [(event.get("key"), event.get("value")) for event in heard]
    assert result.proof["loss"]["trainer"] == pytest.approx(
        result.proof["loss"]["by_hand"], rel=1e-6
    )


@case("C14", {"no loss is taken by hand": change(fitting, "probe_loss", lambda *_: {})})
def test_backend_that_mixes_rows_unseen_is_refused_before_the_first_step(
    tiny_llama: Path, tmp_path: Path, blind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fitting, "with_rows_apart", packed_anyway)
    inputs = open_run(Setup(tiny_llama), tmp_path)
    inputs.model.set_attn_implementation(blind)

    with pytest.raises(ProofError, match=r"the trainer's loss is .*, by hand it is"):
        sft.fit(inputs, fast(4))

    assert not inputs.run.file("metrics.jsonl").exists()


@case(
    "C14",
    {
        "nobody looks": change(packing, "MEAN_NOISE_OF_HALF", float("inf")),
        "nothing may differ": change(packing, "MEAN_NOISE_OF_HALF", 0.0),
    },
)
def test_rounding_of_bfloat16_is_no_fault_and_a_token_of_another_row_is(model: Any):
    """Of a hundred thousand logits the largest is beyond what one of them may be."""
    torch.manual_seed(0)
    alone = torch.randn(4, 100_000)
    unit = 2**-8 * model.config.get_text_config().num_hidden_layers ** 0.5
    rounded = alone + 2.4 * unit * torch.randn_like(alone)
    half = type("Half", (), {"dtype": torch.bfloat16, "config": model.config})
    other = rounded.clone()
    other[2] = alone[3]

    assert (rounded - alone).abs().max() > packing.largest_noise(half)
    assert packing._alike(rounded, alone, half)
    assert not packing._alike(other, alone, half)


def turned_by_length(original: int) -> Any:
    """A tiny model with LongRoPE, whose factors change beyond `original` positions."""
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.manual_seed(0)
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0, 8.0, 16.0, 32.0],
        "original_max_position_embeddings": original,
    }
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = Phi3Config(
        **sizes,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8 * original,
        original_max_position_embeddings=original,
        rope_parameters=rope,
        pad_token_id=0,
    )
    return Phi3ForCausalLM(config).eval()


def of_length(name: str, tokens: int) -> EncodedRow:
    ids = tuple(20 + n % 40 for n in range(tokens))
    return EncodedRow(name, ids, ids)


@pytest.mark.parametrize(("longest", "kind"), [(33, "single"), (32, "packed")])
def test_model_that_turns_by_length_reads_no_row_beside_a_long_one(
    tiny_llama: Path, tmp_path: Path, longest: int, kind: str
):
    """transformers 5.24 turns all of a pass as its longest row is turned."""
    model, heard = turned_by_length(32), list[Event]()
    rows = [of_length("short", 10), of_length("long", longest)]
    inputs = open_run(Setup(tiny_llama), tmp_path, heard.append)
    inputs = replace(inputs, model=model, rows=rows)

    with packing.with_rows_apart(inputs) as apart:
        assert apart.arrangement.kind == kind
    assert ("alone" in [event["event"] for event in heard]) == (kind == "single")

    beside, alone = (
        packing._logits(model, collate.flat([_as_probe(row) for row in given]))[0, -10:]
        for given in ([rows[1], rows[0]], [rows[0]])
    )
    assert packing._alike(beside, alone, model) == (kind == "packed")


def _as_probe(row: EncodedRow) -> dict[str, Any]:
    return {"id": row.id, "input_ids": list(row.input_ids), "labels": list(row.labels)}
