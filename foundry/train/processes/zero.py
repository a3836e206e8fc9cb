"""Share the optimizer among processes by DeepSpeed's ZeRO, stage 2.

Each process holds the whole model, and a part of the gradients and of what the optimizer keeps.
Source: Rajbhandari et al. (2020), "ZeRO: Memory Optimizations Toward Training Trillion Parameter
Models", section 5, https://arxiv.org/abs/1910.02054. DeepSpeed's settings are made by accelerate's
own plug-in, with every `auto` stated; the rows of a step are dealt out by the crew as with `ddp`.

DeepSpeed writes and reads no file: its checkpoints are pickles (C73). What trains and the moments
are put together and kept as `sharding.py` keeps them, in safetensors, for any strategy to read.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _

STAGE = 2
# Numbers sent at once, 200 MB of float32; DeepSpeed's own 5e8 would take 2 GB of each device.
BUCKET = 50_000_000
MOMENTS = ("exp_avg", "exp_avg_sq")  # as AdamW of torch names them


class Pass(torch.nn.Module):
    """A forward pass up to the loss, which is what DeepSpeed watches for the way back."""

    def __init__(self, trainer: Any) -> None:
        super().__init__()
        self.model = trainer.model
        self.trained_by = [trainer]  # in a list, so that it is no module of this one

    def forward(self, batch: dict[str, Any], items: int) -> torch.Tensor:
        """The sum of a micro-batch's losses over the items of the whole step."""
        (trainer,) = self.trained_by
        loss: torch.Tensor = trainer.compute_loss(self.model, batch, num_items_in_batch=items)
        return loss


def begin(trainer: Any) -> Any:
    """DeepSpeed's engine around a trainer's model and optimizer; all processes call.

    Raises:
        ProofError: It shares the optimizer among other processes than the crew, or not at all.
    """
    with _told(trainer.args.device.type):
        import deepspeed

        # On a processor it would compile an all-reduce of its own, if there is a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        engine, *_others = deepspeed.initialize(
            model=Pass(trainer), optimizer=trainer.optimizer, config=_settings(trainer)
        )
    _check(engine, trainer.crew.size)
    return engine


def _settings(trainer: Any) -> dict[str, Any]:
    """DeepSpeed's settings, as accelerate has them."""
    from accelerate.utils import DeepSpeedPlugin

    named = {"gradient_accumulation_steps": 1, "gradient_clipping": trainer.args.max_grad_norm}
    made: dict[str, Any] = DeepSpeedPlugin(zero_stage=STAGE, **named).deepspeed_config
    bucket = min(BUCKET, sum(p.numel() for p in trainer.optimized()))
    made["zero_optimization"] |= {"reduce_bucket_size": bucket, "allgather_bucket_size": bucket}
    return made | {
        # How many rows a pass has is not DeepSpeed's to know; it divides by neither.
        "train_micro_batch_size_per_gpu": 1,
        "train_batch_size": trainer.crew.size,
        "zero_allow_untested_optimizer": True,  # torch's AdamW, as with any strategy
    }


def taken_over(engine: Any) -> Any:
    """The optimizer as the Trainer is to hold it, for the schedule; it steps in `gradients`."""
    from accelerate.utils import DeepSpeedOptimizerWrapper

    optimizer = DeepSpeedOptimizerWrapper(engine.optimizer)
    optimizer._is_accelerate_prepared = True
    return optimizer


@contextmanager
def _told(device: str) -> Iterator[None]:
    """Inside, what DeepSpeed reads of the environment: each process sees one device, its first."""
    named = {"DS_ACCELERATOR": device, "LOCAL_RANK": "0"}
    os.environ.update(named)
    try:
        yield
    finally:
        del os.environ["LOCAL_RANK"]  # which accelerate would read


def _check(engine: Any, size: int) -> None:
    """Go on only where each process keeps its part of the moments and no more. C72."""
    trained = sum(p.numel() for p in engine.module.parameters() if p.requires_grad)
    kept = sum(part.numel() for part in engine.optimizer.single_partition_of_fp32_groups)
    groups = len(engine.optimizer.single_partition_of_fp32_groups)
    # Each group is filled up to whole parts of 2 numbers (`nccl_start_alignment_factor`).
    if engine.zero_optimization_stage() != STAGE or kept > trained / size + 2 * groups:
        what = _("the optimizer of {trained} numbers keeps {kept} in each of {size} processes")
        what = what.format(trained=trained, kept=kept, size=size)
        raise ProofError(Problem("compute.strategy", what))


def gradients(trainer: Any, batches: Sequence[Any], items: int) -> torch.Tensor:
    """Take a step on the gradients of micro-batches, of as many in each process; their loss.

    The optimizer steps when the last ones are there.
    """
    engine, size = trainer.engine, trainer.crew.size
    loss = torch.zeros((), device=trainer.args.device)
    trainer.model.train()
    for number, batch in enumerate(batches, start=1):
        engine.set_gradient_accumulation_boundary(number == len(batches))
        with trainer.compute_loss_context_manager():
            one = engine(trainer._prepare_inputs(batch), items)
        engine.backward(summed(one, size), scale_wrt_gas=False)
        loss += one.detach()
    engine.step()
    return loss


def summed(loss: torch.Tensor, size: int) -> torch.Tensor:
    """A loss of which DeepSpeed's mean over `size` processes is the sum of theirs. C13."""
    return loss * size


def norm(engine: Any) -> float:
    """The length of the step's gradient before it was clipped; infinite where one was not finite.

    DeepSpeed leaves out the step then.
    """
    found = float(engine.get_global_grad_norm())
    return found if math.isfinite(found) else math.inf


def trained(engine: Any) -> list[torch.Tensor]:
    """The parameters whose numbers the optimizer moves."""
    return [parameter for group in engine.optimizer.bit16_groups for parameter in group]


def moments(trainer: Any) -> dict[str, torch.Tensor]:
    """The optimizer's tensors, whole, by the name of what they belong to; all must call.

    The first process has them beside the processor, the others hold none: each tensor is put
    together by itself, so that no device needs room for more.
    """
    from deepspeed.utils import safe_get_full_optimizer_state

    _link(trainer.engine.optimizer)
    made = {}
    for name, parameter in _trainable(trainer):
        for key in MOMENTS:
            found = safe_get_full_optimizer_state(parameter, key)
            if trainer.crew.is_first:
                made[f"optimizer.{name}.{key}"] = found.cpu()
        if trainer.crew.is_first:
            made[f"optimizer.{name}.step"] = _steps(trainer)[0].to("cpu", copy=True)
    return made


def set_moments(trainer: Any, read: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Give the optimizer, whose state is begun, what `moments` gave of it.

    Args:
        trainer: Its engine is begun.
        read: Fills tensors by their names.
    """
    from deepspeed.utils import safe_set_full_optimizer_state

    _link(trainer.engine.optimizer)
    for name, parameter in _trainable(trainer):
        step = torch.zeros((), dtype=torch.float32)
        found = {key: torch.zeros(parameter.shape, dtype=torch.float32) for key in MOMENTS}
        read({f"optimizer.{name}.{key}": value for key, value in (*found.items(), ("step", step))})
        for key, value in found.items():
            safe_set_full_optimizer_state(parameter, value, key)
        for own in _steps(trainer):
            own.copy_(step)


def _link(optimizer: Any) -> None:
    """Have each parameter know its part of the flat state.

    DeepSpeed 0.19.8 does it once, after the first group of the first step, when the other groups
    have no state yet (`stage_1_and_2.py:852` and `:2987`).
    """
    optimizer._hp_optimizer_states_linked = False
    optimizer._lazy_init_hp_params_optimizer_state()


def _steps(trainer: Any) -> list[torch.Tensor]:
    return [state["step"] for state in trainer.engine.optimizer.optimizer.state.values()]


def _trainable(trainer: Any) -> list[tuple[str, torch.Tensor]]:
    return [(name, p) for name, p in trainer.model.named_parameters() if p.requires_grad]
