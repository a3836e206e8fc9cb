"""Each check of the learning proof refuses the fault it is there for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import ProofError
from foundry.core.records import EncodedRow
from foundry.encode.tokenize import IGNORED
from foundry.models.load import load_model
from foundry.train import proof
from foundry.train.batches.collate import flat
from foundry.train.inputs import FitInputs
from foundry.train.losses.supervised import supervised_loss
from tests.tiny_run import Setup, open_run


@pytest.fixture(scope="module")
def inputs(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> FitInputs:
    """An untrained run; not to be changed."""
    return open_run(Setup(tiny_llama), tmp_path_factory.mktemp("run"))


@pytest.fixture
def fresh(tiny_llama: Path, tmp_path: Path) -> FitInputs:
    """An untrained run of the test's own."""
    return open_run(Setup(tiny_llama), tmp_path)


@torch.no_grad()
def move(model: Any, *, but: str = "nothing") -> None:
    """Add a little to every trainable tensor except those with `but` in their name."""
    for name, p in proof.trainable(model).items():
        if but not in name:
            p += 0.01


def seen_in(inputs: FitInputs) -> Counter[int]:
    """The supervised ids of every row once."""
    return Counter(label for row in inputs.rows for label in row.labels if label != IGNORED)


def visited(inputs: FitInputs) -> list[str]:
    return [row.id for row in inputs.rows]


def test_seen_tokens_of_an_honest_run_pass(inputs: FitInputs):
    found = proof.check_seen(seen_in(inputs), visited(inputs), inputs.rows, inputs.stop_ids)

    (stop,) = inputs.stop_ids
    assert found["supervised_tokens"] == seen_in(inputs).total()
    assert found["stops"] == {str(stop): len(inputs.rows)}


def test_stop_ids_masked_away_are_refused(inputs: FitInputs):  # C01
    (stop,) = inputs.stop_ids
    seen = seen_in(inputs)
    del seen[stop]

    with pytest.raises(ProofError, match="other tokens than encoded") as error:
        proof.check_seen(seen, visited(inputs), inputs.rows, inputs.stop_ids)

    assert f"{{{stop}: (0, {len(inputs.rows)})}}" in str(error.value)


def test_supervised_prompt_is_refused(inputs: FitInputs):  # C03
    seen = seen_in(inputs) + Counter(inputs.rows[0].input_ids[:4])

    with pytest.raises(ProofError, match="other tokens than encoded"):
        proof.check_seen(seen, visited(inputs), inputs.rows, inputs.stop_ids)


def test_end_of_a_text_that_is_trained_in_part_need_not_be_reached():
    """One text of two windows, of which the second alone has the EOS, and a step of one row."""
    windows = [
        EncodedRow("text/1", (5, 6, 7), (IGNORED, 6, 7)),
        EncodedRow("text/2", (5, 8, 1), (IGNORED, 8, 1)),
    ]

    found = proof.check_seen(Counter([6, 7]), ["text/1"], windows, [1])

    assert found["stops"] == {"1": 0}
    with pytest.raises(ProofError, match="other tokens than encoded"):
        proof.check_seen(Counter([6, 7, 8]), ["text/1", "text/2"], windows, [1])


def test_stop_id_that_no_row_has_is_refused(inputs: FitInputs):  # C80
    with pytest.raises(ProofError, match=r"stop ids were never trained: \[639\]"):
        proof.check_seen(seen_in(inputs), visited(inputs), inputs.rows, [*inputs.stop_ids, 639])


def test_optimizer_with_every_tensor_passes(inputs: FitInputs):
    trained = proof.trainable(inputs.model)

    found = proof.check_optimizer(trained.values(), inputs.model)

    assert found == {"tensors": len(trained), "dtype": "float32"}


def test_tensor_that_the_optimizer_does_not_hold_is_named(inputs: FitInputs):  # C23
    (name, _first), *rest = proof.trainable(inputs.model).items()

    with pytest.raises(ProofError, match=name.replace(".", r"\.")):
        proof.check_optimizer([p for _, p in rest], inputs.model)


def test_half_precision_is_refused(fresh: FitInputs):  # C23
    fresh.model.to(torch.bfloat16)

    with pytest.raises(ProofError, match="not float32"):
        proof.check_optimizer(proof.trainable(fresh.model).values(), fresh.model)


def test_moved_tensors_pass_with_the_largest_change(fresh: FitInputs):
    before = proof.copies(fresh.model)
    move(fresh.model)

    found = proof.check_moved(fresh.model, before)

    assert found["moved"] == found["tensors"] == 28
    assert found["largest_change"] == pytest.approx(0.01, abs=1e-6)


def test_one_tensor_that_stood_still_is_named(fresh: FitInputs):  # C16, C18
    before = proof.copies(fresh.model)
    move(fresh.model, but="layers.1.mlp.up_proj.lora_B")

    with pytest.raises(ProofError, match=r"1 of 28 .*layers\.1\.mlp\.up_proj\.lora_B"):
        proof.check_moved(fresh.model, before)


def test_model_in_which_nothing_trains_is_refused(fresh: FitInputs):  # C18
    fresh.model.requires_grad_(False)

    with pytest.raises(ProofError, match="0 of 0 trainable tensors"):
        proof.check_moved(fresh.model, proof.copies(fresh.model))


def test_answers_equal_to_the_base_are_refused(fresh: FitInputs):  # C40
    prefixes = proof.probe_prefixes(fresh.rows)
    tuned = proof.next_logits(fresh.model, prefixes)
    with fresh.model.disable_adapter():
        base = proof.next_logits(fresh.model, prefixes)

    with pytest.raises(ProofError, match="says what the base says"):
        proof.check_differs(tuned, base)


def test_answers_unlike_the_base_pass():
    base = torch.zeros(2, 5)
    tuned = base.clone()
    tuned[1, 3] = -0.5

    assert proof.check_differs(tuned, base) == {"largest_logit_change": 0.5}


def test_reloaded_model_that_is_the_live_one_passes(fresh: FitInputs):
    prefixes = proof.probe_prefixes(fresh.rows)
    live = proof.next_logits(fresh.model, prefixes)

    found = proof.check_reload(live, Path("adapter"), lambda _: load_model(fresh.base), prefixes)

    assert found == {"largest_difference": 0.0, "prefixes": proof.PROBE_ROWS}


SPOILED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "one logit": lambda live: live.index_fill(1, torch.tensor([7]), 1.0),
    "not a number": lambda live: live * float("nan"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_reloaded_model_that_differs_is_refused(
    fresh: FitInputs, spoil: Callable[[torch.Tensor], torch.Tensor]
):  # C18, C31
    prefixes = proof.probe_prefixes(fresh.rows)
    live = spoil(proof.next_logits(fresh.model, prefixes))

    with pytest.raises(ProofError, match="saved adapter differs from the live model"):
        proof.check_reload(live, Path("adapter"), lambda _: load_model(fresh.base), prefixes)


def test_probe_prefix_ends_before_the_answer(inputs: FitInputs):
    prefixes = proof.probe_prefixes(inputs.rows)

    text = inputs.tokenizer.decode(prefixes[0])
    assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert len(prefixes) == proof.PROBE_ROWS


class Trainer:
    """A trainer with a loss of the test's choice."""

    def __init__(self, model: Any, loss: Callable[[Any, dict[str, Any], int], torch.Tensor]):
        self.model, self.loss = model, loss

    def compute_loss(self, model: Any, batch: dict[str, Any], num_items_in_batch: int) -> Any:
        return self.loss(model, batch, num_items_in_batch)


def probe(
    inputs: FitInputs, loss: Callable[[Any, dict[str, Any], int], torch.Tensor]
) -> dict[str, Any]:
    rows = [{"id": r.id, "input_ids": r.input_ids, "labels": r.labels} for r in inputs.rows]
    batches = [flat(rows[:2]), flat(rows[2:])]
    return proof.loss_probe(Trainer(inputs.model, loss), inputs.rows, batches)


def shifted_twice(model: Any, batch: dict[str, Any], items: int) -> torch.Tensor:
    labels = batch["labels"].roll(-1, 1)
    labels[:, -1] = IGNORED
    return supervised_loss(model, {**batch, "labels": labels}) / items


def never_shifted(model: Any, batch: dict[str, Any], items: int) -> torch.Tensor:
    return supervised_loss(model, {**batch, "labels": batch["labels"].roll(1, 1)}) / items


def mean_of_means(model: Any, batch: dict[str, Any], items: int) -> torch.Tensor:
    return supervised_loss(model, batch) / (batch["labels"] != IGNORED).sum() / 2


def doubled(model: Any, batch: dict[str, Any], items: int) -> torch.Tensor:
    return 2 * supervised_loss(model, batch) / items


def mixed_rows(model: Any, batch: dict[str, Any], items: int) -> torch.Tensor:
    """Positions that do not restart, as when packing is not noticed (C14)."""
    positions = torch.arange(batch["input_ids"].numel())[None]
    return supervised_loss(model, {**batch, "position_ids": positions}) / items


@pytest.mark.parametrize(
    "wrong", [shifted_twice, never_shifted, mean_of_means, doubled, mixed_rows]
)
def test_wrong_loss_is_refused(inputs: FitInputs, wrong: Any):  # C13, C14, C15
    with pytest.raises(ProofError, match=r"the trainer's loss is .*, by hand it is"):
        probe(inputs, wrong)


def test_right_loss_passes_and_leaves_the_mode_as_it_was(inputs: FitInputs):
    inputs.model.train()

    found = probe(inputs, lambda model, batch, items: supervised_loss(model, batch) / items)

    assert inputs.model.training
    assert found["rows"] == len(inputs.rows)
    assert found["trainer"] == pytest.approx(found["by_hand"], rel=1e-5)
