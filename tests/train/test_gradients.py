"""A gradient reaches every update, also where activations are computed twice (C16)."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import ProofError
from foundry.train import fitting, proof
from foundry.train.adapters import lora
from foundry.train.trainers import sft
from tests.cases import case, change
from tests.mutants.lora_b_zeroed import one_frozen
from tests.tiny_run import Setup, fast, metrics, open_run

STEPS, UPDATES = 5, 14  # two layers, seven linear maps in each
FOLDERS = ["tiny_llama", "tiny_gemma3"]
attach, make_trainer, arguments = lora.attach, fitting._trainer, fitting._arguments


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


def reentrant(*given: Any) -> Any:
    """Reentrant checkpointing of the first layer, over an embedding that asks for no gradient."""
    trainer = make_trainer(*given)
    trainer.args.activation_checkpointing_kwargs = {"use_reentrant": True, "every_n_layers": 2}
    base = trainer.model.get_base_model()
    base.disable_input_require_grads()
    base.enable_input_require_grads = lambda: None
    return trainer


def cut_between_the_layers(model: Any, spec: Any) -> Any:
    """What the first layer says goes on without its gradient."""
    made = attach(model, spec)
    last = made.get_base_model().get_decoder().layers[-1]
    last.register_forward_pre_hook(lambda _module, given: (given[0].detach(), *given[1:]))
    return made


def never_recomputed(*given: Any, **named: Any) -> Any:
    made = arguments(*given, **named)
    made.gradient_checkpointing = made.activation_checkpointing = False
    return made


CUT = {
    "checkpointing is reentrant": change(fitting, "_trainer", reentrant),
    "a layer is cut off": change(lora, "attach", cut_between_the_layers),
    "one update is frozen": change(lora, "attach", one_frozen),
}


def updates(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if ".lora_B." in name}


@case("C16", CUT | {"nothing is computed twice": change(fitting, "_arguments", never_recomputed)})
def test_every_update_has_a_gradient_at_the_first_step_and_is_not_zero_after_five(
    folder: Path, tmp_path: Path
):
    inputs = open_run(Setup(folder, STEPS), tmp_path)
    first: dict[str, float] = {}
    reads: list[int] = []

    def note(name: str, parameter: torch.nn.Parameter) -> None:
        first.setdefault(name, float(parameter.grad.norm()))

    for name, parameter in proof.trainable(inputs.model).items():
        parameter.register_post_accumulate_grad_hook(partial(note, name))
    layer = inputs.model.get_base_model().get_decoder().layers[0]
    layer.mlp.register_forward_pre_hook(lambda *_: reads.append(layer.training))

    sft.fit(inputs, fast(STEPS, gradient_checkpointing=True))

    assert reads.count(True) == 2 * STEPS  # once forwards, once again for the gradient
    made = updates(inputs.model)
    assert [first.get(name, 0) > 0 for name in made] == [True] * UPDATES
    assert [bool(p.norm() > 0) for p in made.values()] == [True] * UPDATES


def shortened(*given: Any) -> Any:
    """A layer under checkpointing says less than it would without."""
    trainer = make_trainer(*given)
    if trainer.args.gradient_checkpointing:
        layer = trainer.model.get_base_model().get_decoder().layers[0]
        layer.mlp.register_forward_hook(
            lambda module, _given, out: out * 0.9 if module.training else out
        )
    return trainer


@case("C16", {"a layer says less": change(fitting, "_trainer", shortened)})
def test_checkpointing_changes_no_loss(tiny_gemma3: Path, tmp_path: Path):
    losses = {}
    for again in (False, True):
        inputs = open_run(Setup(tiny_gemma3, STEPS), tmp_path / str(again))
        sft.fit(inputs, fast(STEPS, gradient_checkpointing=again))
        losses[again] = [line["loss"] for line in metrics(inputs.run)]

    assert len(losses[True]) == STEPS
    assert losses[True] == pytest.approx(losses[False], rel=1e-6)


def without_zeros(model: Any, before: Any) -> dict[str, Any]:
    return {"moved": len(before)}


@case("C16", {"nobody looks": change(proof, "check_moved", without_zeros)})
def test_run_in_which_one_update_stays_zero_is_refused(tiny_llama: Path, tmp_path: Path):
    inputs = open_run(Setup(tiny_llama, STEPS), tmp_path)
    name, parameter = next(iter(updates(inputs.model).items()))
    parameter.register_hook(torch.zeros_like)

    with pytest.raises(ProofError, match="of 28 trainable tensors are as they were") as error:
        sft.fit(inputs, fast(STEPS, gradient_checkpointing=True))

    assert name in error.value.problems[0].what
    assert not inputs.run.file("adapter").exists()
