"""Train the tiny models as `foundry/stages/runners.py` does, in a second or two."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foundry.core.events import Event, Events
from foundry.core.records import EncodedRow, Example
from foundry.core.rundir import RunDir
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_files import write_model
from foundry.delivery.parity import Reference, reference
from foundry.encode.ends import all_stop_ids
from foundry.encode.tokenize import open_encoder
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.place import CPU, Place
from foundry.models.quiet import quiet
from foundry.train.adapters import lora
from foundry.train.assemble import own_optimizer
from foundry.train.batches.arrange import Arrangement, Kind
from foundry.train.inputs import FitInputs
from foundry.train.trainers import sft
from tests.encoders import encode_all, examples

ROWS = tuple(
    examples(
        [
            ("電風扇多少錢？", "售價三百元。"),
            ("電風扇保固多久？", "保固一年，謝謝。"),
            ("電風扇是什麼顏色？", "白色。"),
            ("產地是哪裡？", "產地是台灣，謝謝您的詢問。"),
            ("How much is the fan?", "300 dollars."),
            ("How long is the warranty?", "One year, thank you."),
            ("What color is it?", "White."),
            ("可以刷卡嗎👍？", "台灣都行。"),
        ]
    )
)


SMALL = lora.Spec(rank=4, alpha=8)


@dataclass(frozen=True)
class Setup:
    """What a test may choose of a run; the rest is as a recipe without these keys has it.

    `method` is the module of the adapter whose `Spec` is `adapter`.
    """

    folder: Path
    steps: int = 4
    micro_batch_size: int = 4
    adapter: Any = SMALL
    rows: Sequence[Example] = ROWS
    seed: int = 0
    kind: Kind = "packed"
    pack_tokens: int = 512
    method: Any = lora
    place: Place = CPU
    max_seq_len: int = 128
    load: Callable[..., Any] = load_model


def open_run(setup: Setup, path: Path, *listeners: Callable[[Event], None]) -> FitInputs:
    """The base with a fresh adapter, its rows encoded, and a run directory at `path`."""
    import torch

    base = locate(str(setup.folder), path)
    encoder = open_encoder(base)
    rows, report = encode_all(setup.rows, encoder, max_seq_len=setup.max_seq_len, overlong="fail")
    with quiet():
        torch.manual_seed(setup.seed)
        loaded = setup.load(base, storage=setup.method.BASE, place=setup.place)
        model = setup.method.attach(loaded, setup.adapter)
    path.mkdir(parents=True, exist_ok=True)
    return FitInputs(
        model=model,
        tokenizer=encoder.tokenizer,
        base=base,
        rows=rows,
        stop_ids=tuple(sorted(report.stops)),
        run=RunDir(path),
        events=Events([*listeners]),
        seed=setup.seed,
        arrangement=Arrangement(setup.kind, setup.micro_batch_size, setup.pack_tokens),
        steps=setup.steps,
        storage=setup.method.BASE,
        place=setup.place,
        optimizer=own_optimizer(setup.method, setup.adapter),
    )


def fast(steps: int, **values: Any) -> sft.Spec:
    """Settings that move a tiny model visibly in a few steps."""
    chosen = {"learning_rate": 1e-2, "global_batch_size": 4, "checkpoint_every": steps, **values}
    return sft.Spec(max_steps=steps, **chosen)


def metrics(run: RunDir) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`."""
    text = run.file("metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def adapter_bytes(run: RunDir) -> bytes:
    """The saved adapter's weights."""
    return run.file("adapter", "adapter_model.safetensors").read_bytes()


@dataclass(frozen=True)
class Trained:
    """A tiny model that knows `ROWS` by heart, and what it says to the parity questions."""

    tuned: Tuned
    rows: Sequence[EncodedRow]
    run: RunDir
    live: Reference

    def with_gguf(self, folder: Path) -> Tuned:
        """The same on a base that has a GGUF file of its own, written to `folder`."""
        path = folder / "base.gguf"
        with quiet():
            write_model(self.tuned, load_model(self.tuned.base), path, quantization="f16")
        return replace(self.tuned, base=replace(self.tuned.base, gguf=str(path)))


def train(setup: Setup, path: Path) -> Trained:
    """Overfit a tiny model on its rows and ask it what its artefacts will be asked."""
    inputs = open_run(setup, path)
    sft.fit(inputs, fast(setup.steps, global_batch_size=8))
    encoder = open_encoder(inputs.base)
    stops = all_stop_ids(inputs.stop_ids, None, encoder.tokenizer.eos_token_id)
    tuned = Tuned(inputs.base, inputs.run.file("adapter"), encoder, stops, "Tiny 1.0.0")
    return Trained(tuned, inputs.rows, inputs.run, reference(tuned, inputs.rows))
