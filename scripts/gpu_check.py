"""Train random-weight models of real shapes on a GPU and write what it took into `docs/gpu.md`.

    python scripts/gpu_check.py             # skips with a reason where there is no GPU
    python scripts/gpu_check.py --tiny      # the same code on tiny shapes, on any machine

Gemma-3-12B as `Gemma3ForConditionalGeneration` (the class of TAIDE's Gemma) and an 8B Llama, each
with LoRA on four-bit NF4 and on bfloat16 weights, in packs of 2,048 and 4,096 tokens, ten steps.
The weights are random: speed, memory and the proofs of training do not depend on them. What is
proven: the loss is the one written out by hand, packed rows do not see each other, every trainable
tensor is float32, is in the optimizer and has moved. Beside what is measured stands what the plan
foretells for the same shape, update, pack and device.
"""

import argparse
import contextlib
import gc
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Run as a file, Python looks for modules beside it; what is checked is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from foundry.core import atomic
from foundry.models.shape import shape_of
from foundry.planning.outcome import peak_bytes
from scripts import gpu_forecast, gpu_trl
from scripts.performance import machine, put_section

PAGE = Path(__file__).resolve().parents[1] / "docs" / "gpu.md"
LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")
STEPS, ROWS_A_STEP, VOCABULARY = 10, 8, 1000  # ids that rows are made of
STORED = ("nf4", "whole")
GEMMA_3_12B = {
    **{"hidden_size": 3840, "intermediate_size": 15360, "num_hidden_layers": 48},
    **{"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256},
    **{"vocab_size": 262208, "sliding_window": 1024, "query_pre_attn_scalar": 256},
}
LLAMA_8B = {
    **{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
    **{"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256},
}
# Both at once: as many heads of keys as of queries' groups, a window that rows are longer than.
TINY = {
    **{"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 1024},
    **{"sliding_window": 32, "query_pre_attn_scalar": 16},
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
VISION |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
COLUMNS = (
    *("model, weights, pack", "tokens/s", "foretold tokens/s", "peak GiB", "foretold GiB"),
    *("loss", "by hand", "rows apart"),
)
PACKS, TINY_PACKS = (2048, 4096), (64, 128)
RANK, ALPHA, GIB = 16, 32, 2**30
NOT_YET = "No card has been measured yet.\n"  # on the page until one is


def main() -> None:
    import torch

    options = parse()
    if not options.tiny and not torch.cuda.is_available():
        print("skipped: there is no GPU that PyTorch can use (`--tiny` runs without one)")
        return
    results: list[dict[str, Any]] = []
    for result in measured(tiny=options.tiny):
        results.append(result)
        keep(options, "\n".join(shown(results)))  # what there is, should this be cut short
    table = "\n".join([*shown(results), "", *beside_trl(results[-1], tiny=options.tiny)])
    keep(options, table)
    print(table)


def measured(*, tiny: bool) -> Iterator[dict[str, Any]]:
    """Each model, way to hold its weights and pack; the last is the 8B Llama in longest packs."""
    import torch

    packs = TINY_PACKS if tiny else PACKS
    for name, stored, pack in itertools.product(("gemma-3-12b", "llama-8b"), STORED, packs):
        rows = random_rows(pack)
        found = foretold(name, stored, pack, rows, tiny=tiny)
        with contextlib.suppress(torch.OutOfMemoryError):  # it then says that it does not fit
            found |= check(name, stored, pack, rows, tiny=tiny)
        numbers = stored if stored == "nf4" else whole_type()
        result = {"name": f"{name}, {numbers}, {pack:,}", **found}
        print(json.dumps(result), file=sys.stderr)
        yield result


def keep(options: argparse.Namespace, table: str) -> None:
    """Put the table on the page, where it is of a card."""
    import torch

    if not options.tiny:
        write(options.page, torch.cuda.get_device_name(0), table)


def write(page: Path, card: str, table: str) -> None:
    """Put the section of a card on the page."""
    if page.is_file():
        atomic.write_text(page, page.read_text(encoding="utf-8").replace(NOT_YET, ""))
    put_section(page, card, f"{card}; {machine(LIBRARIES)}\n\n{table}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train real shapes on a GPU, ten steps each.")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, also without a GPU")
    parser.add_argument("--page", type=Path, default=PAGE)
    return parser.parse_args()


def shown(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|---|{'--:|' * (len(COLUMNS) - 1)}"
    for row in results:
        speed, peak = (spread(row["foretold"][key]) for key in ("tokens_per_s", "peak_gib"))
        measured = ["does not fit", speed, "–", peak, "–", "–", "–"]
        if "loss" in row:
            measured = [f"{row['tokens_per_s']:,.0f}", speed, f"{row['peak_gib']:.2f}", peak]
            measured += [f"{row['loss']:.5f}", f"{row['by_hand']:.5f}", row["attention"]]
        yield f"| {row['name']} | {' | '.join(measured)} |"


def spread(values: Sequence[float]) -> str:
    """What is expected, and its bounds."""
    low, expected, high = (f"{n:,.2f}" if max(values) < 1000 else f"{n:,.0f}" for n in values)
    return f"{expected} ({low} to {high})"


def beside_trl(ours: dict[str, Any], *, tiny: bool) -> Iterator[str]:
    """Plain TRL on the 8B Llama in whole numbers, and how much faster ours is in longest packs."""
    yield "| model, weights, pack | | tokens/s | ours ÷ it | peak GiB | ours ÷ it |"
    yield f"|---|---|{'--:|' * 4}"
    pack = (TINY_PACKS if tiny else PACKS)[-1]
    for side, switches in gpu_trl.SWITCHES.items():
        found = trl("whole", pack, switches, tiny=tiny)
        cells = ["does not fit", "–", "–", "–"]
        if found and "loss" in ours:
            keys = ("tokens_per_s", ",.0f"), ("peak_gib", ".2f")
            cells = [
                cell
                for key, form in keys
                for cell in (f"{found[key]:{form}}", f"{ours[key] / found[key]:.2f}")
            ]
        print(json.dumps({"side": side, **(found or {})}), file=sys.stderr)
        yield f"| {ours['name']} | {side} | {' | '.join(cells)} |"


def trl(stored: str, pack: int, switches: Any, *, tiny: bool) -> dict[str, float] | None:
    """What plain TRL does with the 8B Llama; None where it does not fit."""
    import torch

    from foundry.train.adapters import lora

    gc.collect()
    torch.cuda.empty_cache()
    torch.manual_seed(0)
    with contextlib.suppress(torch.OutOfMemoryError):
        model = lora.attach(build("llama-8b", stored, tiny=tiny), lora.Spec(rank=RANK, alpha=ALPHA))
        return gpu_trl.measured(model, tokenizer(), random_rows(pack), switches)
    return None


def foretold(
    name: str, stored: str, pack: int, rows: Sequence[Any], *, tiny: bool
) -> dict[str, Any]:
    """What the plan says of a training, each as low, expected and high."""
    job = gpu_forecast.job(
        configuration(name, tiny=tiny).to_dict(),
        rows,
        stored=stored,
        rank=RANK,
        dtype=whole_type(),
        steps=STEPS,
        global_batch_size=ROWS_A_STEP,
        micro_batch_size=ROWS_A_STEP,
        pack_tokens=pack,
    )
    found = gpu_forecast.foretold(job, gpu_forecast.this_device())
    speed, peak = found["tokens_per_s"], found["peak_bytes"].times(1 / GIB, 1 / GIB, 1 / GIB)
    return {
        "foretold": {
            key: (one.low, one.expected, one.high)
            for key, one in (("tokens_per_s", speed), ("peak_gib", peak))
        }
    }


def build(name: str, stored: str, *, tiny: bool) -> Any:
    """A random model on the device, the linear layers of its language part stored as `stored`.

    A card with room for the whole weights makes them; in the main memory it takes minutes.
    """
    import torch
    import transformers

    kinds = {"llama": transformers.LlamaForCausalLM}
    config = configuration(name, tiny=tiny)
    made = kinds.get(config.model_type, transformers.Gemma3ForConditionalGeneration)
    device = device_name()
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, whole_type()))
    try:
        with torch.device(device if has_room(config) else "cpu"):
            model = made(config)
    finally:
        torch.set_default_dtype(before)
    if stored == "nf4":
        quantise(model, device)
        torch.cuda.empty_cache()  # of the whole weights
    return model.to(device)


def has_room(config: Any) -> bool:
    """Whether the card holds a model's whole weights, and a layer in four bits beside them."""
    import torch

    if not torch.cuda.is_available():
        return True
    free, _whole = torch.cuda.mem_get_info()
    return shape_of(config.to_dict()).parameters * 2.1 < free


def configuration(name: str, *, tiny: bool) -> Any:
    """The shape of a model, or a tiny one of its class."""
    from transformers import AutoConfig

    if name == "llama-8b":
        values = {k: v for k, v in TINY.items() if k in LLAMA_8B} if tiny else LLAMA_8B
        return AutoConfig.for_model("llama", **values)
    text = {"model_type": "gemma3_text", **(TINY if tiny else GEMMA_3_12B)}
    vision = {"model_type": "siglip_vision_model", **VISION}
    parts = {"text_config": text, "vision_config": vision, "mm_tokens_per_image": 4}
    return AutoConfig.for_model("gemma3", **parts)


def device_name() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def whole_type() -> str:
    """The number type of weights that are not quantised."""
    return "bfloat16" if device_name() == "cuda" else "float32"


def quantise(model: Any, device: str) -> None:
    """Put each linear layer of the language part on the device in four bits."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    from foundry.models.language_part import linear_layers

    for path, layer in linear_layers(model).items():
        sizes, named = (layer.in_features, layer.out_features), {"quant_type": "nf4"}
        four = Linear4bit(*sizes, bias=False, compute_dtype=layer.weight.dtype, **named)
        weight = layer.weight.data
        four.weight = Params4bit(weight, requires_grad=False, **named).to(device)
        parent, _dot, own = path.rpartition(".")
        setattr(model.get_submodule(parent), own, four)


def random_rows(pack: int) -> list[Any]:
    """Rows of an eighth of a pack to a whole one, a third of each supervised."""
    from foundry.core.records import EncodedRow
    from foundry.encode.tokenize import IGNORED

    numbers, rows = random.Random(0), []
    for index in range(STEPS * ROWS_A_STEP):
        length = numbers.randint(pack // 8, pack)
        ids = tuple(numbers.choices(range(1, VOCABULARY), k=length))
        labels = (*[IGNORED] * (length - length // 3), *ids[length - length // 3 :])
        rows.append(EncodedRow(f"row-{index}", ids, labels))
    return rows


def check(name: str, stored: str, pack: int, rows: Sequence[Any], *, tiny: bool) -> dict[str, Any]:
    """Ten steps of one model, with the proofs that need no second copy of it.

    Raises:
        ProofError: One of them failed.
    """
    import torch

    from foundry.core.events import Events
    from foundry.core.rundir import RunDir
    from foundry.models.place import CPU, Place
    from foundry.models.quiet import quiet
    from foundry.train.adapters import lora
    from foundry.train.batches.arrange import Arrangement
    from foundry.train.inputs import FitInputs

    gc.collect()
    torch.cuda.empty_cache()  # what the one before held is not this one's
    torch.manual_seed(0)
    model = lora.attach(build(name, stored, tiny=tiny), lora.Spec(rank=RANK, alpha=ALPHA))
    marks: list[tuple[float, int]] = []

    def listen(event: Any) -> None:
        if event["event"] == "step":
            marks.append((time.monotonic(), event["tokens"]))

    with quiet(), tempfile.TemporaryDirectory() as folder:
        inputs = FitInputs(
            model=model,
            tokenizer=tokenizer(),
            base=None,  # type: ignore[arg-type]  # nothing is read back
            rows=rows,
            stop_ids=[],
            run=RunDir(Path(folder)),
            events=Events([listen]),
            seed=0,
            arrangement=Arrangement(micro_batch_size=ROWS_A_STEP, pack_tokens=pack),
            steps=STEPS,
            place=Place("cuda", "bfloat16") if torch.cuda.is_available() else CPU,
        )
        evidence = train(inputs)
    (begin, before), (end, after) = marks[0], marks[-1]
    peak = peak_bytes(inputs.place.device)
    if torch.cuda.is_available():
        evidence["allocated_gib"] = torch.cuda.max_memory_allocated() / GIB
    measured = {"tokens_per_s": (after - before) / (end - begin), "peak_gib": (peak or 0) / GIB}
    return measured | evidence


def train(inputs: Any) -> dict[str, Any]:
    """The trainer's own path, without saving and reading back."""
    import torch

    from foundry.train import fitting, proof
    from foundry.train.batches.packing import with_rows_apart
    from foundry.train.fused import fused_updates
    from foundry.train.losses.supervised import Supervised
    from foundry.train.signals import StopRequest
    from foundry.train.trainers.sft import Spec

    steps = {"max_steps": STEPS, "checkpoint_every": 10_000}
    spec = Spec(**steps, global_batch_size=ROWS_A_STEP, learning_rate=3e-4)
    before = proof.copies(inputs.model)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with with_rows_apart(inputs) as apart, fused_updates(apart.model):
        objective = Supervised()
        head = objective.head(apart)
        half = torch.cuda.is_available()
        trainer, _watch = fitting.set_up(apart, spec, StopRequest(), head, objective, half=half)
        trainer.args.save_strategy = "no"
        loss = fitting.probe_loss(trainer, apart, spec, objective)
        trainer.train()
    proof.check_optimizer(trainer.optimized(), inputs.model)
    proof.check_moved(inputs.model, before)
    how = "by row" if apart.arrangement.by_row else apart.arrangement.kind
    return {"loss": loss["trainer"], "by_hand": loss["by_hand"], "attention": how}


def tokenizer() -> Any:
    """One that the trainer may hold; nothing is tokenised."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<pad>")


if __name__ == "__main__":
    main()
