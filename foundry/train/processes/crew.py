"""The processes that train one model together: what each has to do, say and add up.

Every process sees all rows of an optimizer step and takes its share of them, so the step is the
same for any number of processes, and each knows what its sums are to be divided by without asking
(C13). Gradients are added up after the last micro-batch, and what was counted is told to all. With
one process nothing of this does anything.

Hugging Face's accelerate is not told of the others: it would deal out whole batches, average
gradients, and turn sharding on a processor into replication without a word (engines.md 12).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.tensor import DTensor

Item = TypeVar("Item")
Made = TypeVar("Made")
# For the slowest to come: torch's own for gloo (torch/distributed/constants.py). Data are prepared
# before there is anybody to wait, so this is for loading, a step, and a checkpoint.
LIMIT = timedelta(minutes=30)


class LostOthers(RuntimeError):
    """Another process is gone, so that there is nobody to go on with."""


def is_loss(error: BaseException) -> bool:
    """Whether an error says that another process is gone.

    Where a library talks to the others by itself, as FSDP2 and DeepSpeed do, gloo raises a
    RuntimeError that names a file of its own.
    """
    known = (LostOthers, distributed.DistBackendError, distributed.DistNetworkError)
    return isinstance(error, known) or "gloo/transport" in str(error)


@dataclass(frozen=True)
class Crew:
    """One process among `size`, its number `rank`, and how they share the model.

    `strategy` is `single`, `ddp`, where each holds all of the model, `deepspeed`, where each holds
    all of it and a part of what the optimizer keeps, or `fsdp2`, where each holds a part of both.
    """

    rank: int = 0
    size: int = 1
    strategy: str = "single"

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds a part of the model."""
        return self.strategy == "fsdp2"

    @property
    def shares_optimizer(self) -> bool:
        """Whether each process holds the model, and a part of what the optimizer keeps."""
        return self.strategy == "deepspeed"

    @property
    def passes_as_often(self) -> bool:
        """Whether all must go through the model equally often."""
        return self.is_sharded or self.shares_optimizer

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def heard(self, said: Any) -> list[Any]:
        """What each process says, a JSON value, in the order of their ranks; all must call."""
        if self.size == 1:
            return [said]
        # No pickle: what is sent is read as JSON (C73).
        text = torch.frombuffer(bytearray(json.dumps(said).encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        with together():
            distributed.all_gather(lengths, torch.tensor([len(text)]))
        most = max(int(length) for length in lengths)
        filled = torch.nn.functional.pad(text, (0, most - len(text)))
        texts = [torch.empty(most, dtype=torch.uint8) for _ in range(self.size)]
        with together():
            distributed.all_gather(texts, filled)
        pairs = zip(texts, lengths, strict=True)
        return [json.loads(bytes(text[: int(length)].tolist())) for text, length in pairs]

    def wait(self) -> None:
        """Go on when all have come so far."""
        self.heard(None)

    def by_first(self, work: Callable[[], object]) -> None:
        """Have the first process do what is done once, such as to write; all go on after it."""
        if self.is_first:
            work()
        self.wait()

    def first_then_all(self, work: Callable[[], Made]) -> Made:
        """What each process makes, the first before the others, who may find what it left."""
        if self.is_first:
            made = work()
            self.wait()
            return made
        self.wait()
        return work()

    def shares(self, rows: Sequence[Item], costs: Sequence[int]) -> list[list[Item]]:
        """The rows of a step that each process takes, in their order.

        Args:
            rows: All rows of the step, the same in each process.
            costs: Tokens of each.
        """
        return [[rows[index] for index in share] for share in deal(costs, self.size)]

    def add_up(self, parameters: Iterable[torch.Tensor]) -> None:
        """Give each trainable parameter the sum of its gradients in all processes.

        They go as one vector, so a step takes one reduction. A process that had no row adds zeros.
        Those of a parameter that is held in parts were added up when they were made.
        """
        trained = [p for p in parameters if p.requires_grad and not isinstance(p, DTensor)]
        if self.size == 1 or not trained:
            return
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        grads = [p.grad for p in trained if p.grad is not None]
        sums = torch.cat([grad.flatten() for grad in grads])
        with together():
            distributed.all_reduce(sums)
        parts = sums.split([grad.numel() for grad in grads])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))

    @contextmanager
    def own_noise(self, seed: int, step: int) -> Iterator[None]:
        """Inside, dropout of this step and process, so that a resumed run draws the same again."""
        if self.size == 1:
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(hash((seed, step, self.rank)))
            yield


ALONE = Crew()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor, where each process may hold a part of it; all must call."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


@contextmanager
def joined(rank: int, size: int, strategy: str) -> Iterator[Crew]:
    """Inside, one of `size` processes that can talk; torchrun has told them where.

    On a processor they talk through gloo; on GPUs tensors that lie there go through NCCL.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, rank=rank, world_size=size, timeout=LIMIT)
    yield Crew(rank, size, strategy)
    distributed.destroy_process_group()


@contextmanager
def together() -> Iterator[None]:
    """Inside, what needs all processes.

    Raises:
        LostOthers: One of them is gone, or did not come in time.
    """
    try:
        yield
    except RuntimeError as error:  # gloo has no class of its own for it
        raise LostOthers(str(error)) from error


def deal(costs: Sequence[int], size: int) -> list[list[int]]:
    """Deal rows out to processes so that none has much more to do than another.

    The longest goes first, each to whoever has the least so far: at most 4/3 of the least possible
    maximum (Graham 1969, "Bounds on multiprocessing timing anomalies", theorem 2).

    Args:
        costs: Tokens per row, shape (N,).
        size: Processes.

    Returns:
        Indices per process, ascending. Each index appears exactly once; where there are fewer rows
        than processes, some have none.
    """
    shares: list[list[int]] = [[] for _ in range(size)]
    loads = [0] * size
    for index in sorted(range(len(costs)), key=lambda index: -costs[index]):
        least = loads.index(min(loads))
        shares[least].append(index)
        loads[least] += costs[index]
    return [sorted(share) for share in shares]
