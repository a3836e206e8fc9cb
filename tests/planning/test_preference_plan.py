"""What the plan knows of preferences: two sides, the reference's passes and copy, what is off."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForSequenceClassification

from foundry.core.errors import RecipeError
from foundry.core.load import load_recipe
from foundry.models.shape import shape_of
from foundry.planning import accelerator, hardware
from foundry.planning.estimate.flops import step_flops
from foundry.planning.estimate.job import Job, job_of
from foundry.planning.estimate.memory import memory
from foundry.planning.estimate.rows import Rows, rows_of
from foundry.planning.estimate.spread import exactly
from foundry.planning.refusals import check_dropout
from foundry.planning.resolve import resolve
from foundry.planning.shapes import KnownShape
from foundry.train.adapters import lora
from tests import tiny

TOKENS, SUPERVISED = 32, 12  # of one side


def model():
    return tiny.tiny_model("llama", tiny.tiny_tokenizer("llama"), tied=True)


def planned(kind: str, *settings: str, sides: int = 2) -> Job:
    """One row a step."""
    given = (f"train.kind={kind}", "train.global_batch_size=2", "train.max_steps=1", *settings)
    loaded = load_recipe("retail/customer-service", given)
    rows = Rows(8, exactly(sides * TOKENS), exactly(sides * SUPERVISED), 2 * TOKENS, "tokenizer")
    shape = KnownShape(shape_of(model().config.to_dict()), "config.json")
    return job_of(loaded, shape, rows, hardware.load_devices()["cpu-laptop"])


@pytest.mark.parametrize(
    ("kind", "sides", "passes"), [("dpo", 2, 1), ("kto", 1, 3), ("orpo", 2, 0)]
)
def test_passes_without_gradient_are_those_torch_counts(kind: str, sides: int, passes: int):
    ids = torch.arange(TOKENS)[None] % 600
    kept = torch.arange(TOKENS - SUPERVISED, TOKENS)
    plain = model()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        plain(input_ids=ids, logits_to_keep=kept, use_cache=False)

    counted = step_flops(planned(kind, sides=sides)).reference

    assert counted == pytest.approx(2 * sides * passes * counter.get_total_flops(), rel=0.01)


@pytest.mark.parametrize(
    ("kind", "adapter", "copies"),
    [
        ("dpo", "lora", 0),
        ("dpo", "full", 1),
        ("dpo", "pissa", 1),
        ("kto", "full", 1),
        ("orpo", "full", 0),
        ("sft", "full", 0),
    ],
)
def test_a_copy_of_what_trains_is_planned_where_the_reference_is_one(
    kind: str, adapter: str, copies: int
):
    job = planned(kind, f"adapter={json.dumps({'kind': adapter})}")

    parts = memory(job, "cpu").parts

    found = parts["reference"].expected if "reference" in parts else 0
    assert found == copies * 4 * job.trained_weights


def test_reward_model_is_counted_with_its_own_head_and_no_other():
    """All numbers that train are those of PEFT; no logit of the vocabulary is made."""
    config = model().config
    config.num_labels = 1
    judge = lora.attach(LlamaForSequenceClassification(config), lora.Spec())
    dpo, job = planned("dpo", "exports=[]"), planned("reward", "exports=[]")

    trained = sum(p.numel() for p in judge.parameters() if p.requires_grad)
    assert job.trained_weights == trained
    logits = [memory(one, "cpu").parts["logits"].expected for one in (job, dpo)]
    assert logits[0] < 0.1 * logits[1]
    assert step_flops(job).head == 3 * 2 * config.hidden_size * 2 * 2  # products, sides, rows
    assert step_flops(job).linear == step_flops(dpo).linear


def test_rows_of_two_sides_are_counted_whole(tmp_path: Path):
    sides = [{"prompt": "你" * 40, "chosen": "好" * 20, "rejected": "壞" * 10}]
    (tmp_path / "rows.json").write_text(json.dumps(sides * 5), encoding="utf-8")
    settings = (
        f"data.sources.0.path={tmp_path / 'rows.json'}",
        'data.format={"kind": "preference", "prompt": "prompt", "chosen": "chosen", '
        '"rejected": "rejected"}',
        "encode.max_seq_len=64",
        "data.split=null",
    )

    rows = rows_of(load_recipe("retail/customer-service", settings), None, tmp_path / "work")

    # 0.8 tokens a character, five for each turn, one for the end of the learned; both sides fit 64.
    assert rows.tokens.expected == pytest.approx(0.8 * (40 + 20 + 40 + 10) + 4 * 5)
    assert rows.supervised.expected == pytest.approx(0.8 * 30 + 1)
    assert 64 < rows.longest <= 128


@pytest.mark.parametrize("kind", ["dpo", "kto", "orpo"])
def test_dropout_is_refused_where_log_probabilities_are_compared(kind: str):
    given = (f"train.kind={kind}", "train.max_steps=3", "adapter.dropout=0.1")
    with pytest.raises(RecipeError, match="compares log-probabilities"):
        check_dropout(load_recipe("retail/customer-service", given))

    check_dropout(load_recipe("retail/customer-service", ("adapter.dropout=0.1",)))


@pytest.mark.parametrize(
    ("kind", "steps", "rate"), [("dpo", 30, 1.5e-5), ("dpo", 200, 1e-5), ("sft", 200, 2e-4)]
)
def test_rate_left_open_is_that_of_the_loss(kind: str, steps: int, rate: float):
    settings = (f"train.kind={kind}", f"train.max_steps={steps}", "train.learning_rate=auto")
    loaded = load_recipe("retail/customer-service", settings)

    resolved, _reasons = resolve(loaded, accelerator.look())

    assert resolved["learning_rate"] == pytest.approx(rate)
