"""`dpo`, `kto` and `orpo` on tiny models: the losses by hand, the reference, what is recorded."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from foundry.core import plugins
from foundry.core.errors import InterruptedRun
from foundry.core.records import Turn
from foundry.core.rundir import RunDir
from foundry.models.quiet import quiet
from foundry.train.batches.packing import with_rows_apart
from foundry.train.losses import preference, reference
from foundry.train.losses.log_probs import by_hand, sides_of
from foundry.train.losses.pairs import AT_START, Pairs
from foundry.train.losses.preference import AnswerTrainer
from foundry.train.trainers import dpo
from tests.cases import case, change
from tests.preferences import ROWS, fit, moved, opened, pairs, set_up, step_loss
from tests.support import covers
from tests.tiny_run import adapter_bytes, metrics

KINDS = ("dpo", "kto", "orpo")
BETA = 0.2


@covers(lambda kind: [{"trainer": kind, "adapter": "lora", "family": "llama"}])
@pytest.mark.parametrize("kind", KINDS)
def test_margin_grows_and_every_row_is_accounted_for(kind: str, tiny_llama: Path, tmp_path: Path):
    inputs = opened(kind, tiny_llama, tmp_path, steps=8)

    result = fit(kind, inputs)

    margins = [line["rewards/margins"] for line in metrics(inputs.run)]
    assert margins[-1] > margins[0] + 0.01
    assert result.metrics["rewards/margins"] == {"first": margins[0], "last": margins[-1]}
    assert result.epochs == 4.0
    answers = [row.labels + row.rejected_labels for row in inputs.rows]
    learned = sum(label >= 0 for labels in answers for label in labels)
    assert result.supervised_tokens == 4 * learned


@pytest.mark.parametrize("kind", [*KINDS, "reward"])
def test_row_that_a_mixture_repeats_is_learned_as_often(
    kind: str, tiny_llama: Path, tmp_path: Path
):
    once = ROWS[kind]()
    rows = [once[0], *(one for row in once for one in (row, row))]

    result = fit(kind, opened(kind, tiny_llama, tmp_path, rows=rows), global_batch_size=17)

    assert result.epochs == 4.0
    assert result.proof["loss"]["rows"] == 17


@pytest.fixture(scope="module")
def pair_trainer(
    tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Any]]:
    inputs = opened("dpo", tiny_llama, tmp_path_factory.mktemp("pairs"), micro_batch_size=3)
    with quiet(), with_rows_apart(inputs) as apart:
        trainer = set_up("dpo", Pairs("sigmoid", BETA, 0.1), apart)
        moved(apart)
        yield trainer, apart


def sigmoid(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + (-x).exp())


def softplus(x: torch.Tensor) -> torch.Tensor:
    return (1 + x.exp()).log()


E = 0.1
# b, w: log-ratios of the better and the worse answer; m, n: tokens of each.
FORMULAS: dict[str, Any] = {
    "sigmoid": lambda b, w, m, n: softplus(-BETA * (b - w)),
    "hinge": lambda b, w, m, n: (1 - BETA * (b - w)).clamp(min=0),
    "ipo": lambda b, w, m, n: (b / m - w / n - 1 / (2 * BETA)) ** 2,
    "exo_pair": lambda b, w, m, n: sum(
        sigmoid(sign * BETA * (b - w)) * (sigmoid(sign * BETA * (b - w)) / share).log()
        for sign, share in ((1, 1 - E), (-1, E))
    ),
    "nca_pair": lambda b, w, m, n: (
        softplus(-BETA * b) + softplus(BETA * b) / 2 + softplus(BETA * w) / 2
    ),
    "robust": lambda b, w, m, n: (
        ((1 - E) * softplus(-BETA * (b - w)) - E * softplus(BETA * (b - w))) / (1 - 2 * E)
    ),
    "bco_pair": lambda b, w, m, n: softplus(-BETA * b) + softplus(BETA * w),
    "sppo_hard": lambda b, w, m, n: (b - 1 / (2 * BETA)) ** 2 + (w + 1 / (2 * BETA)) ** 2,
    "apo_zero": lambda b, w, m, n: 1 - sigmoid(BETA * b) + sigmoid(BETA * w),
    "apo_down": lambda b, w, m, n: sigmoid(BETA * b) + 1 - sigmoid(BETA * (b - w)),
    "discopop": lambda b, w, m, n: (
        softplus(-BETA * (b - w)) * (1 - sigmoid(BETA * (b - w) / 0.05))
        + (-BETA * (b - w)).exp() * sigmoid(BETA * (b - w) / 0.05)
    ),
    "sigmoid_norm": lambda b, w, m, n: softplus(-BETA * (b / m - w / n)),
}


def test_every_formula_that_can_be_asked_for_is_checked():
    offered = set(dpo.Spec.model_fields["loss"].annotation.__args__)

    assert offered == set(FORMULAS) == set(AT_START)


def test_smoothing_is_what_the_recipe_says_and_a_zero_is_one():
    assert dpo.smoothing(dpo.Spec(loss="robust", label_smoothing=0)) == 0.0
    assert dpo.smoothing(dpo.Spec(loss="robust")) == 0.1
    assert dpo.smoothing(dpo.Spec()) == 0.0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loss": "sigmoid", "label_smoothing": 0.1}, "is for the losses `robust`, `exo_pair`"),
        ({"loss": "exo_pair", "label_smoothing": 0}, "must be above 0 for `exo_pair`"),
    ],
)
def test_smoothing_that_a_formula_does_not_read_is_refused(values: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        dpo.Spec.model_validate(values)


@pytest.mark.parametrize("loss", FORMULAS)
def test_loss_of_pairs_is_the_formula_by_hand(loss: str, pair_trainer: tuple[Any, Any]):
    trainer, inputs = pair_trainer
    sides = sides_of(inputs.rows)
    policy, lengths = by_hand(inputs.model, sides), [sum(x >= 0 for x in s[1]) for s in sides]
    with inputs.model.disable_adapter():
        ratios = policy - by_hand(inputs.model, sides)
    formula, count = FORMULAS[loss], len(inputs.rows)
    tokens = torch.tensor(lengths)
    expected = formula(ratios[:count], ratios[count:], tokens[:count], tokens[count:]).mean()
    trainer.loss_types = [loss]

    found = step_loss(trainer, inputs.rows)

    assert ratios.abs().max() > 0.5
    assert found == pytest.approx(float(expected), rel=2e-5)


@pytest.mark.parametrize(("loss", "beta"), [(loss, beta) for loss in AT_START for beta in (0.1, 1)])
def test_loss_at_the_start_is_the_formula_of_nothing(loss: str, beta: float):
    nothing, one = torch.zeros(1, dtype=torch.float64), torch.ones(1)
    globals_before = FORMULAS[loss].__globals__["BETA"]
    FORMULAS[loss].__globals__["BETA"] = beta
    try:
        expected = float(FORMULAS[loss](nothing, nothing, one, one))
    finally:
        FORMULAS[loss].__globals__["BETA"] = globals_before

    assert AT_START[loss](beta, E) == pytest.approx(expected)


def test_loss_of_odds_is_the_formula_by_hand(tiny_llama: Path, tmp_path: Path):
    from foundry.train.losses.odds import Odds

    inputs = opened("orpo", tiny_llama, tmp_path, micro_batch_size=3)
    with quiet(), with_rows_apart(inputs) as apart:
        trainer = set_up("orpo", Odds(BETA), apart)
        moved(apart)
        found = step_loss(trainer, apart.rows)
    sides = sides_of(inputs.rows)
    tokens = torch.tensor([sum(x >= 0 for x in labels) for _ids, labels in sides])
    means = by_hand(inputs.model, sides) / tokens
    better, worse = means.chunk(2)
    odds = [mean.exp() / (1 - mean.exp()) for mean in (better, worse)]
    expected = (-better - BETA * sigmoid((odds[0] / odds[1]).log()).log()).mean()

    assert found == pytest.approx(float(expected), rel=2e-5)


def test_answer_that_the_model_is_sure_of_has_a_gradient():
    """Its mean log-probability is exactly 0 in float32, and TRL's odds of it are infinite."""
    from foundry.train.losses.odds import Odds, OddsTrainer

    means = torch.tensor([0.0, -1.0, -2.0, 0.0], requires_grad=True)
    trainer = SimpleNamespace(
        beta=BETA,
        accelerator=SimpleNamespace(device=torch.device("cpu")),
        log_probs=lambda _model, _inputs: SimpleNamespace(means_R=means),
        add=lambda _name, _values: None,
    )
    trainer.odds_ratio_loss = MethodType(OddsTrainer.odds_ratio_loss, trainer)

    loss = OddsTrainer.summed_loss(trainer, None, {})
    loss.backward()

    assert means.grad is not None and bool(torch.isfinite(means.grad).all())
    ones = torch.ones(4, dtype=torch.float64)
    by_hand = 2 * Odds(BETA).expected(means.detach().double(), ones, [0, 1])
    assert loss.item() == pytest.approx(by_hand, rel=1e-4)


ALWAYS_TUNED = change(preference, "reference_of", lambda model: nullcontext)


def other_prompt(self: Any, sides: Any) -> Any:
    """The worse answers stand behind a prompt that lost its beginning, as after a cut."""
    cut = [{**s, "input_ids": s["input_ids"][1:], "labels": s["labels"][1:]} for s in sides[4:]]
    return answers_of(self, [*sides[:4], *cut])


answers_of = AnswerTrainer.answers_of


@case(
    "C25",
    {
        "the reference is the tuned model": ALWAYS_TUNED,
        "prompts differ": change(AnswerTrainer, "answers_of", other_prompt),
    },
)
def test_loss_begins_at_ln_2_and_the_reference_stays(tiny_llama: Path, tmp_path: Path):
    inputs = opened("dpo", tiny_llama, tmp_path)

    result = fit("dpo", inputs)

    first = metrics(inputs.run)[0]
    assert first["loss"] == result.first_loss == pytest.approx(math.log(2), abs=1e-6)
    assert first["rewards/chosen"] == first["rewards/rejected"] == first["rewards/margins"] == 0
    assert result.proof["mask"]["reference_change"] < 1e-4
    assert result.last_loss < 0.65


def swapped() -> Any:
    """The columns of better and worse answers are exchanged."""
    return [
        replace(
            one,
            messages=(*one.messages[:-1], one.rejected),
            rejected=Turn("assistant", one.messages[-1].content),
        )
        for one in pairs()
    ]


def late_margin(inputs: Any, rows: Any) -> float:
    """How much likelier the answers listed first became, against those listed second."""
    with torch.no_grad():
        inputs.model.eval()
        policy = by_hand(inputs.model, sides_of(rows))
        with inputs.model.disable_adapter():
            ratios = policy - by_hand(inputs.model, sides_of(rows))
    better, worse = ratios.chunk(2)
    return float((better - worse).mean())


def test_swapped_columns_turn_the_margin_round(tiny_llama: Path, tmp_path: Path):  # C25
    as_they_are = opened("dpo", tiny_llama, tmp_path / "one", steps=20)
    turned = opened("dpo", tiny_llama, tmp_path / "other", steps=20, rows=swapped())

    fit("dpo", as_they_are)
    fit("dpo", turned)

    rows = as_they_are.rows
    assert late_margin(as_they_are, rows) > 1
    assert late_margin(turned, rows) < -1


def never_copied(_model: Any) -> bool:
    return False


@case(
    "C25", {"the rest of the base is the reference": change(reference, "is_copied", never_copied)}
)
def test_reference_of_an_update_out_of_the_weights_is_the_whole_base(
    tiny_llama: Path, tmp_path: Path
):
    from foundry.train.adapters import pissa

    inputs = opened("dpo", tiny_llama, tmp_path, adapter=pissa.Spec(rank=4), method=pissa)

    result = fit("dpo", inputs, learning_rate=1e-3)

    assert result.first_loss == pytest.approx(math.log(2), abs=1e-6)


SIZES: dict[str, dict[str, Any]] = {
    "vera": {"rank": 8},
    "oft": {"block_size": 4},
    "ia3": {},
    "full": {},
}
RATES = {"hira": 0.1, "vera": 0.1, "oft": 0.03, "ia3": 0.1, "full": 1e-3}


@covers(lambda name: [{"trainer": "dpo", "adapter": name}])
@pytest.mark.parametrize("name", plugins.names("adapter"))
def test_every_adapter_learns_pairs_under_all_proofs(name: str, tiny_llama: Path, tmp_path: Path):
    adapter = plugins.load("adapter", name)
    spec = adapter.Spec(**SIZES.get(name, {"rank": 4}))
    inputs = opened("dpo", tiny_llama, tmp_path, steps=3, adapter=spec, method=adapter)

    result = fit("dpo", inputs, learning_rate=RATES.get(name, 1e-2))

    assert result.first_loss == pytest.approx(math.log(2), abs=1e-4)
    assert result.metrics["rewards/margins"]["last"] > 0
    assert set(result.proof) >= {"loss", "mask", "optimizer", "moved", "differs", "reload"}


FEW: dict[str, Any] = {"steps": 3, "micro_batch_size": 2}


@pytest.fixture(scope="module", params=KINDS)
def straight(
    request: pytest.FixtureRequest, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, RunDir]:
    """A trainer, and three steps of it in micro-batches of two rows."""
    inputs = opened(request.param, tiny_llama, tmp_path_factory.mktemp("straight"), **FEW)
    fit(request.param, inputs)
    return request.param, inputs.run


@pytest.mark.parametrize("way", [{"micro_batch_size": 1}, {"kind": "single"}], ids=["one", "alone"])
def test_rows_one_by_one_are_rows_together(
    way: dict[str, Any], straight: tuple[str, RunDir], tiny_llama: Path, tmp_path: Path
):
    """And where the sides of a pair share no pass, as in a class that bears no filling."""
    kind, together = straight
    inputs = opened(kind, tiny_llama, tmp_path, **{**FEW, **way})

    fit(kind, inputs)

    for one, two in zip(metrics(inputs.run), metrics(together), strict=True):
        names = [name for name in two if name == "loss" or name.startswith("rewards/")]
        expected = [two[name] for name in names]
        assert [one[n] for n in names] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_run_taken_up_again_is_the_straight_one(
    straight: tuple[str, RunDir], tiny_llama: Path, tmp_path: Path
):
    kind, expected = straight

    def stop(event: Any) -> None:
        if event["event"] == "step" and event["step"] == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRun):
        fit(kind, opened(kind, tiny_llama, tmp_path, stop, **FEW))
    inputs = opened(kind, tiny_llama, tmp_path, **FEW)
    fit(kind, inputs)

    assert metrics(inputs.run) == metrics(expected)
    assert adapter_bytes(inputs.run) == adapter_bytes(expected)
