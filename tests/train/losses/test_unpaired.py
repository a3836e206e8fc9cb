"""The loss of `kto` on a tiny model, by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.models.quiet import quiet
from foundry.train.batches.packing import with_rows_apart
from foundry.train.losses.log_probs import by_hand, sides_of
from foundry.train.losses.unpaired import Unpaired
from foundry.train.steps import entry
from tests.preferences import moved, opened, set_up, step_loss

BETA = 0.2


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + (-x).exp())


def test_loss_of_marked_answers_is_the_formula_by_hand(tiny_llama: Path, tmp_path: Path):
    inputs = opened("kto", tiny_llama, tmp_path, micro_batch_size=3)
    with quiet(), with_rows_apart(inputs) as apart:
        objective = Unpaired("kto", BETA, 1.5, 0.5)
        trainer = set_up("kto", objective, apart)
        moved(apart)
        found = step_loss(trainer, apart.rows)
        trainer.loss_type, trainer.calculate_KL = "apo_zero_unpaired", False
        from_zero = step_loss(trainer, apart.rows)
    rows = sorted(inputs.rows, key=lambda row: row.id)
    answers = [[x for x in row.labels if x >= 0] for row in rows]
    asked = [
        row.input_ids[: row.labels.index(answer[0])]
        for row, answer in zip(rows, answers, strict=True)
    ]
    strange = [
        ((*question, *answers[n - 1]), (*(-100,) * len(question), *answers[n - 1]))
        for n, question in enumerate(asked)
    ]
    longest = max(len(row.input_ids) for row in rows)
    strange = [(ids[-longest:], labels[-longest:]) for ids, labels in strange]

    def ratios(sides: Any) -> torch.Tensor:
        policy = by_hand(inputs.model, sides)
        with inputs.model.disable_adapter():
            return policy - by_hand(inputs.model, sides)

    own, kl = ratios(sides_of(rows)), ratios(strange).mean().clamp(min=0)
    good = torch.tensor([bool(row.label) for row in rows])
    expected = torch.where(
        good, 1.5 * (1 - sigmoid(BETA * (own - kl))), 0.5 * (1 - sigmoid(BETA * (kl - own)))
    )
    zero = torch.where(good, 1.5 * (1 - sigmoid(BETA * own)), 0.5 * sigmoid(BETA * own))

    assert found == pytest.approx(float(expected.mean()), rel=2e-5)
    assert from_zero == pytest.approx(float(zero.mean()), rel=2e-5)


def test_row_that_a_mixture_repeats_is_never_its_own_stranger(tiny_llama: Path, tmp_path: Path):
    inputs = opened("kto", tiny_llama, tmp_path, micro_batch_size=3)
    with quiet(), with_rows_apart(inputs) as apart:
        trainer = set_up("kto", Unpaired("kto", BETA, 1.0, 1.0), apart)
        moved(apart)
        rows = [entry(row) for row in apart.rows]
        once, often = (float(trainer._kl(apart.model, some)) for some in (rows, [*rows, *rows[:3]]))
        alone = float(trainer._kl(apart.model, [rows[0], rows[0]]))

    assert often == pytest.approx(once, rel=1e-6) and once != 0
    assert alone == 0


def test_answer_alone_in_its_step_is_measured_from_nothing(tiny_llama: Path, tmp_path: Path):
    inputs = opened("kto", tiny_llama, tmp_path)
    with quiet(), with_rows_apart(inputs) as apart:
        trainer = set_up("kto", Unpaired("kto", BETA, 1.0, 1.0), apart)
        moved(apart)
        policy_R = by_hand(inputs.model, sides_of(good_R := [r for r in apart.rows if r.label]))
        with inputs.model.disable_adapter():
            own_R = policy_R - by_hand(inputs.model, sides_of(good_R))
        good, own = good_R[int(own_R.argmax())], own_R.max()
        batches = trainer.micro_batches([entry(good)])
        with torch.no_grad():
            trainer.before_step(trainer.model, batches, [entry(good)])
            found = trainer.compute_loss(trainer.model, batches[0], num_items_in_batch=1)

    assert float(own) > 0.1  # measured from itself, which is at least 0, the loss would be a half
    assert float(found) == pytest.approx(float(1 - sigmoid(BETA * own)), rel=2e-5)
