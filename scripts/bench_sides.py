"""One measurement of training speed: our trainer, or TRL's with given switches, on the same rows.

`scripts/bench.py` starts this file as a process of its own for each measurement:

    python scripts/bench_sides.py OPTIONS.json RESULT.json
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

# Run as a file, Python looks for modules beside it; what is measured is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import plain_trl

BATCH = 8
SEED = 0
MAX_SEQ_LEN = 512
Mark = tuple[float, int, int]  # seconds, useful and supervised tokens so far


def main() -> None:
    options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    measure = measure_ours if options["side"] == "ours" else measure_trl
    Path(sys.argv[2]).write_text(json.dumps(measure(options)), encoding="utf-8")


def prepared(base_name: str, data: str | None, rows: int) -> tuple[Any, Any, list[Any]]:
    """Base, encoder and so many encoded rows: of an Alpaca file, or else of the shop's recipe."""
    from foundry.core.errors import DataError
    from foundry.core.load import load_recipe
    from foundry.encode.rows import encode
    from foundry.encode.tokenize import open_encoder
    from foundry.models.fetch import locate

    loaded = load_recipe("retail/customer-service")
    base = locate(base_name, loaded.path.parent)
    encoder = open_encoder(base)
    made = []
    for example in _alpaca(Path(data)) if data else _shop(loaded):
        try:
            row = encode(example, encoder).row
        except DataError:  # an answer that the base's template does not render
            continue
        if len(row.input_ids) <= MAX_SEQ_LEN:
            made.append(row)
        if len(made) == rows:
            return base, encoder, made
    raise SystemExit(f"{rows} rows are wanted, there are {len(made)}")


def _shop(loaded: Any) -> list[Any]:
    from foundry.data.prepare import prepare, read_examples

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "data")
        manifest = prepare(loaded.recipe.data, folder=loaded.path.parent, out=out)
        return list(read_examples(out.parent / manifest.part("train").file))


def _alpaca(path: Path) -> list[Any]:
    from foundry.core.records import Example
    from foundry.data.formats import instruction

    found = json.loads(path.read_text(encoding="utf-8"))
    drafts = [instruction.to_draft(row, instruction.Spec()) for row in found]
    return [
        Example(f"row-{n}", tuple(draft.turns), path.name, n, f"row-{n}")
        for n, draft in enumerate(drafts)
    ]


def with_adapter(base: Any) -> Any:
    """The base with our default LoRA, the same one at every call."""
    import torch

    from foundry.models.load import load_model
    from foundry.train.adapters import lora

    model = load_model(base)
    torch.manual_seed(SEED)
    return lora.attach(model, lora.Spec())


def gemm_peak(number_type: str, size: int = 2048) -> float:
    """Operations per second of a square matrix product, the best of five."""
    import torch

    from foundry.models.products import quick_products

    a, seconds = torch.ones(size, size, dtype=getattr(torch, number_type)), []
    with quick_products("cpu"):  # the best that the processor is known to do
        for _repetition in range(5):
            start = time.monotonic()
            a @ a
            seconds.append(time.monotonic() - start)
    return float(2 * size**3 / min(seconds))


def flops(model: Any, tokens: int, supervised: int) -> float:
    """Operations that training cannot do without; attention's own products are not counted.

    4 for each weight of a frozen linear layer and token, 6 for each of the update, 4 for each
    weight of the head and supervised token.
    """
    from foundry.models.language_part import linear_layers

    head = model.get_base_model().get_output_embeddings().weight.numel()
    update = sum(p.numel() for p in model.parameters() if p.requires_grad)
    linear = sum(m.weight.numel() for m in linear_layers(model.get_base_model()).values())
    frozen = linear - update
    return float((4 * frozen + 6 * update) * tokens + 4 * head * supervised)


def measure_ours(options: Mapping[str, Any]) -> dict[str, Any]:
    """Our trainer as `foundry train` runs it, up to the last step."""
    from foundry.core.events import Events
    from foundry.core.rundir import RunDir
    from foundry.train.batches.arrange import Arrangement
    from foundry.train.inputs import FitInputs
    from foundry.train.trainers import sft

    base, encoder, rows = prepared(options["base"], options["data"], options["steps"] * BATCH)
    model, marks, losses = with_adapter(base), list[Mark](), list[float]()
    peak = gemm_peak(options["dtype"])

    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "step":
            marks.append((time.monotonic(), event["tokens"], event["supervised_tokens"]))
            losses.append(event["loss"])
            if event["step"] == options["steps"]:
                raise Done

    with tempfile.TemporaryDirectory() as folder:
        inputs = FitInputs(
            model=model,
            tokenizer=encoder.tokenizer,
            base=base,
            rows=rows,
            stop_ids=[],
            run=RunDir(Path(folder)),
            events=Events([listen]),
            seed=SEED,
            arrangement=Arrangement(pack_tokens=options["pack_tokens"]),
            steps=options["steps"],
        )
        spec = {"max_steps": options["steps"], "learning_rate": plain_trl.LEARNING_RATE}
        spec |= {"dtype": options["dtype"]}
        with suppress(Done):
            sft.fit(inputs, sft.Spec(**spec, schedule="constant", checkpoint_every=10_000))
    return rated(model, marks, peak) | {"first_loss": losses[0]}


class Done(Exception):
    """The last step was measured; what is proven and saved after it is no part of the speed."""


def measure_trl(options: Mapping[str, Any]) -> dict[str, Any]:
    """A plain `SFTTrainer` on the same ids and labels, with the switches of `options["trl"]`."""
    from foundry.models.products import quick_products

    count = options.get("rows", options["steps"] * BATCH)
    base, encoder, rows = prepared(options["base"], options["data"], count)
    switches, model = dict(options["trl"]), with_adapter(base)
    peak = gemm_peak("bfloat16" if switches.get("bf16", True) else "float32")  # TRL's default
    micro_batch = switches.pop("micro_batch", 8)
    with quick_products("cpu") if options["quick_products"] else nullcontext():
        timed, losses = plain_trl.trained(
            model,
            encoder.tokenizer,
            rows,
            steps=options["steps"],
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=BATCH // micro_batch,
            use_cpu=True,
            seed=SEED,
            data_seed=SEED,
            max_length=MAX_SEQ_LEN,
            **switches,
        )
    share = BATCH * _supervised(rows) / len(rows)
    marks = [(at, useful, round(share * step)) for step, (at, useful) in enumerate(timed, start=1)]
    return rated(model, marks, peak) | {"first_loss": losses[0]}


def _supervised(rows: Sequence[Any]) -> int:
    return sum(label >= 0 for row in rows for label in row.labels[1:])


def rated(model: Any, marks: Sequence[Mark], peak: float) -> dict[str, Any]:
    """Tokens per second from the end of the first step on, and the share of the GEMM peak."""
    (begin, *before), (end, *after) = marks[0], marks[-1]
    seconds = end - begin
    tokens, supervised = (late - early for late, early in zip(after, before, strict=True))
    return {
        "tokens": tokens,
        "seconds": round(seconds, 3),
        "tokens_per_s": tokens / seconds,
        "supervised_per_s": supervised / seconds,
        "share": flops(model, tokens, supervised) / seconds / peak,
        "gemm_gflops": peak / 1e9,
        # Kilobytes on Linux; see getrusage(2).
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
