"""Hold a model in parts, a part of every layer in each process, and keep what trains of it.

torch's `fully_shard` (FSDP2) cuts each decoder layer; a layer is put together for its pass and
given up again. What lies outside of them, the embedding, the last norm and the head, is whole in
each process, since the loss reads the head outside of the model's own pass (`losses/head.py`).

A checkpoint is torch's distributed one, in safetensors: no pickle (C73). Each process writes its
parts, and any number of them, one too, reads what it needs.
"""

import json
from pathlib import Path
from typing import Any

import torch

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.models.load import Storage
from foundry.models.place import Place
from foundry.train.adapter_files import has_update, without_update
from foundry.train.processes import zero
from foundry.train.processes.crew import Crew, whole

FOLDER, SCHEDULER = "shards", "scheduler.json"


def where_to_load(place: Place, crew: Crew, storage: Storage) -> Place:
    """Where a model is read to: beside the processor where no device is to hold all of it.

    Four bits are read to the device, where bitsandbytes keeps what belongs to them.
    """
    return Place("cpu", place.weights) if crew.is_sharded and storage == "full" else place


def held(model: Any, place: Place, crew: Crew) -> Any:
    """The model as the processes hold it, each what is its own on its device."""
    if not crew.is_sharded:
        return model
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(place.device, (crew.size,))
    base = without_update(model)
    layers = [m for m in base.modules() if type(m).__name__ in (base._no_split_modules or ())]
    inside = {parameter for layer in layers for parameter in layer.parameters()}
    outside = set(base.parameters()) - inside
    for layer in layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    fully_shard(base, mesh=mesh, ignored_params=outside)
    for parameter in outside:
        parameter.data = parameter.data.to(place.name)
    for part in (*layers, base):
        # Sums and no means: each loss is divided by the items of the whole step already (C13).
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)  # gloo can do no other
    return model


def whole_state(model: Any, crew: Crew) -> dict[str, Any] | None:
    """A model's state with all of what is to be saved; None where it is not in parts.

    That is what trains, or all weights where no update lies beside them.
    """
    if not crew.is_sharded:
        return None
    state = model.state_dict()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    saved = trained if has_update(model) else state.keys()
    return {name: whole(t.detach()) if name in saved else t for name, t in state.items()}


def is_sharded(checkpoint: Path) -> bool:
    """Whether a checkpoint was written in parts."""
    return (checkpoint / FOLDER).is_dir()


def check_readable(checkpoint: Path, crew: Crew) -> None:
    """Refuse to go on in parts from a checkpoint of processes that held model and optimizer whole.

    Raises:
        ResourceError: Names the checkpoint. The other way round is no matter.
    """
    if crew.passes_as_often and not is_sharded(checkpoint):
        what = _("it was written by processes that each held the whole model and its optimizer")
        fix = _("set `compute.strategy` to `ddp`, or remove {folder} to begin anew")
        fix = fix.format(folder=checkpoint.parent)
        raise ResourceError(Problem(str(checkpoint), what, fix))


def save(trainer: Any, folder: Path) -> None:
    """Write what trains, the optimizer's state and the schedule's; all processes call."""
    crew: Crew = trainer.crew
    crew.by_first(lambda: folder.joinpath(FOLDER).mkdir(parents=True))
    if crew.is_sharded:
        _write_parts({**_weights(trainer.model), **_moments(trainer)}, folder / FOLDER)
    else:
        kept = zero.moments(trainer)
        if crew.is_first:
            # Copies, since DeepSpeed has the weights lie in one storage.
            own = {n: t.to("cpu", copy=True) for n, t in _weights(trainer.model).items()}
            _write_whole({**own, **kept}, folder / FOLDER)
    if crew.is_first:
        schedule = {k: v for k, v in trainer.lr_scheduler.state_dict().items() if k != "lr_lambdas"}
        atomic.write_json(folder / SCHEDULER, schedule)
        trainer._save_rng_state(str(folder))
        trainer.state.save_to_json(str(folder / "trainer_state.json"))


def _write_parts(state: dict[str, Any], folder: Path) -> None:
    """Write what each process holds of tensors; all must call."""
    from torch.distributed import checkpoint as distributed
    from torch.distributed.checkpoint import HuggingFaceStorageWriter

    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    distributed.save(state, storage_writer=writer)


def _write_whole(state: dict[str, Any], folder: Path) -> None:
    """Write whole tensors, which are read like those in parts."""
    from safetensors.torch import save_file

    save_file(state, folder / "model.safetensors")


def load_weights(trainer: Any, folder: Path) -> None:
    """Give a model what trained, as a checkpoint in parts has it."""
    _read(_weights(trainer.model), folder)


def load_state(trainer: Any, folder: Path) -> None:
    """Give optimizer and schedule what such a checkpoint has of them."""
    optimizer = trainer.optimizer
    if trainer.engine is not None:
        _begin(trainer.engine.optimizer.optimizer)
        zero.set_moments(trainer, lambda state: _read(state, folder))
    else:
        _begin(optimizer)
        _read(_moments(trainer), folder)
    schedule = _for_groups(
        json.loads((folder / SCHEDULER).read_text(encoding="utf-8")), len(optimizer.param_groups)
    )
    trainer.lr_scheduler.load_state_dict({**trainer.lr_scheduler.state_dict(), **schedule})
    for group, rate in zip(optimizer.param_groups, schedule["_last_lr"], strict=True):
        group["lr"] = rate


def _for_groups(schedule: dict[str, Any], count: int) -> dict[str, Any]:
    """A schedule for an optimizer of `count` groups.

    transformers 5.24 gives tensors in parts groups of their own (`trainer.py:1287`), whose rates
    are those of the groups that they are from.
    """
    rates = {key: values for key, values in schedule.items() if isinstance(values, list)}
    if any(len(values) != count and len(set(values)) > 1 for values in rates.values()):
        raise RuntimeError(f"a schedule of other groups than {count}: {rates}")
    return schedule | {
        key: values if len(values) == count else values[:1] * count for key, values in rates.items()
    }


def _read(state: dict[str, Any], folder: Path) -> None:
    """Fill the tensors of `state`, those in parts with the parts that are this process's."""
    from torch.distributed import checkpoint as distributed
    from torch.distributed import is_initialized
    from torch.distributed.checkpoint import HuggingFaceStorageReader

    reader = HuggingFaceStorageReader(str(folder / FOLDER))
    distributed.load(state, storage_reader=reader, no_dist=not is_initialized())


def _weights(model: Any) -> dict[str, Any]:
    return {f"model.{n}": p.detach() for n, p in model.named_parameters() if p.requires_grad}


def _moments(trainer: Any) -> dict[str, Any]:
    """The optimizer's tensors by the name of what they belong to."""
    state = trainer.optimizer.state
    return {
        f"optimizer.{name}.{key}": tensor
        for name, parameter in trainer.model.named_parameters()
        if parameter.requires_grad
        for key, tensor in state[parameter].items()
    }


def _begin(optimizer: Any) -> None:
    """Have the optimizer make its state, which it does in its first step, and change nothing."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
