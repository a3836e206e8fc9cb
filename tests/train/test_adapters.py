"""Every adapter on every family: what trains, what is saved, and what is read back (C18, C23)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from foundry.core import plugins, shipped
from foundry.core.errors import ResourceError
from foundry.core.records import BaseModel
from foundry.models.fetch import locate
from foundry.models.language_part import language_name
from foundry.models.load import load_model
from foundry.models.tokenizer import load_tokenizer
from foundry.train import proof
from foundry.train.adapter_files import (
    has_update,
    load_tuned,
    merge,
    save_adapter,
    save_whole,
    untrained,
    without_update,
)
from foundry.train.batches.collate import flat
from foundry.train.losses.supervised import supervised_loss
from tests import tiny
from tests.support import REFUSED, covers
from tests.tiny_models import MODELS

KINDS = plugins.names("adapter")
# One model of each family, and Gemma 3's class for images, which TAIDE is.
NAMES = [*{made.family: name for name, made in reversed(MODELS.items())}.values()]
NAMES += ["gemma3-conditional"]
LOW_RANK = ("lora", "rslora", "qlora", "dora", "pissa", "olora", "lora-plus", "hira")
SIZES: dict[str, dict[str, Any]] = {
    **{kind: {"rank": 4} for kind in LOW_RANK},
    "vera": {"rank": 8},
    "oft": {"block_size": 4},
    "ia3": {},
    "full": {},
}
# How the tensors are called that train.
UPDATES = {"hira": ".hira_", "vera": ".vera_lambda_", "oft": ".oft_R.", "ia3": ".ia3_l."}
# Two steps must change what the model says by more than float32 rounds.
RATES = {"hira": 0.2, "vera": 0.1, "oft": 0.1, "ia3": 0.1}
EXPERTS = ("gpt-oss", "qlora")
IDS = tuple(range(100, 112))
PREFIXES = [[*IDS[:5]], [*IDS[:9]]]


@pytest.fixture(scope="module")
def base(
    request: pytest.FixtureRequest, one_thread: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BaseModel]:
    folder = tmp_path_factory.mktemp("families") / request.param
    yield locate(str(tiny.build(folder, request.param, tied=False)), Path())


def attached(base: BaseModel, kind: str) -> Any:
    adapter = plugins.load("adapter", kind)
    torch.manual_seed(0)
    return adapter.attach(load_model(base, storage=adapter.BASE), adapter.Spec(**SIZES[kind]))


def train(model: Any, kind: str) -> None:
    """Two steps: in the first, a B of zeros lets no gradient through to its A."""
    model.train()
    trained = proof.trainable(model).values()
    optimizer = torch.optim.AdamW(trained, lr=RATES.get(kind, 5e-3))
    for _step in range(2):
        batch = flat([{"id": "row", "input_ids": list(IDS), "labels": list(IDS)}])
        supervised_loss(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def test_matrix_knows_every_adapter():
    assert set(SIZES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_adapter_has_a_fragment_to_take_over(kind: str):
    text = shipped.fragment_path(f"adapters/{kind}").read_text(encoding="utf-8")
    block = yaml.safe_load(text)["adapter"]

    assert block.pop("kind") == kind
    assert plugins.load("adapter", kind).Spec(**block)


def taken(base: str, kind: str) -> list[dict[str, str]]:
    """What a case of the matrix takes together."""
    refused = {REFUSED: "four bits hold no experts"} if (base, kind) == EXPERTS else {}
    return [{"family": MODELS[base].family, "adapter": kind, **refused}]


@covers(taken)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", NAMES, indirect=True, scope="module")
def test_what_was_trained_is_what_is_read_back(base: BaseModel, kind: str, tmp_path: Path):
    if (base.name, kind) == EXPERTS:
        with pytest.raises(ResourceError, match="four bits hold"):
            attached(base, kind)
        return
    adapter = plugins.load("adapter", kind)
    model = attached(base, kind)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = proof.trainable(model)

    train(model, kind)

    assert {p.dtype for p in trained.values()} == {torch.float32}
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == set(trained)
    assert_is_what_trains(model, kind, moved)
    live = proof.next_logits(model, PREFIXES)
    folder = tmp_path / "trained"
    if adapter.TRAINS == "update":
        save_adapter(model, base, folder, before)
    else:
        save_whole(model, load_tokenizer(base), folder)
    again = load_tuned(base, folder, storage=adapter.BASE)
    assert same(proof.next_logits(again, PREFIXES), live)
    assert_merged_on_the_original_base(base, folder, live, tells=adapter.BASE == "full")


def assert_is_what_trains(model: Any, kind: str, moved: set[str]) -> None:
    language = language_name(without_update(model))
    if kind == "full":
        assert all(n.startswith((f"{language}.", "lm_head.")) for n in moved)
        assert {n for n, _p in model.named_parameters() if n.startswith(f"{language}.")} <= moved
        return
    part, start = UPDATES.get(kind, ".lora_"), f"base_model.model.{language}."
    assert all(part in n and n.startswith(start) for n in moved)


def assert_merged_on_the_original_base(
    base: BaseModel, folder: Path, live: torch.Tensor, *, tells: bool
) -> None:
    """What is delivered: the base in full with the update, merged or not, or all weights (C30)."""
    tuned = load_tuned(base, folder)
    delivered = proof.next_logits(tuned, PREFIXES)
    with untrained(tuned, base) as plain:
        said = proof.next_logits(plain, PREFIXES)
    # To the bit, so that one answer of the base stands for every adapter's.
    assert torch.equal(said, proof.next_logits(load_model(base), PREFIXES))
    change = (said - delivered).abs().max()
    merged = merge(tuned)
    assert not has_update(merged)
    assert change > 1e-3 * live.std()
    # Float32: B·A is added to a weight.
    assert (proof.next_logits(merged, PREFIXES) - delivered).abs().max() < 0.01 * change
    assert same(delivered, live) is tells


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Equal but for float32 sums in another order, which follows from where tensors lie."""
    return float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
