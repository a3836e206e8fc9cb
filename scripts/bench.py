"""Useful tokens per second of our trainer and of a plain TRL script on the same rows.

    python scripts/bench.py [--base gemma-3-270m] [--steps 10] [--rounds 5] [--json]

Each measurement is a process of its own; the two alternate, so that a machine that warms up or has
other work weighs on both. *Useful* tokens are those that are not padding; the first step, which
warms up, is not counted. TRL is given its best settings on a processor: float32, no gradient
checkpointing, one row at a time. Both train the same LoRA on the same batches from the same seed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

SIDES = ("ours", "trl")
BATCH = 8
SEED = 0
LEARNING_RATE = 5e-4


def main() -> None:
    """Run every round, or, when called by itself with `--side`, one measurement."""
    options = parse()
    if options.side:
        measured = {"ours": measure_ours, "trl": measure_trl}[options.side](options)
        # Kilobytes on Linux; see getrusage(2).
        measured["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        Path(options.out).write_text(json.dumps(measured), encoding="utf-8")
        return
    results = [measure(side, options) for _round in range(options.rounds) for side in SIDES]
    summary = summarise(results)
    print(json.dumps({**summary, "runs": results}, indent=2) if options.json else shown(summary))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare our trainer's speed with plain TRL's.")
    parser.add_argument("--base", default="gemma-3-270m")
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps of 8 rows")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(side: str, options: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "result.json")
        command = [sys.executable, __file__, "--side", side, "--out", str(out)]
        command += ["--base", options.base, "--steps", str(options.steps)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found = {"side": side, **json.loads(out.read_text(encoding="utf-8"))}
    print(f"{side}: {found['tokens_per_s']:.1f} tokens/s", file=sys.stderr)
    return found


def prepared(options: argparse.Namespace) -> tuple[Any, Any, list[Any]]:
    """Base, encoder and as many encoded rows of the shop's recipe as the steps need."""
    from foundry.core.load import load_recipe
    from foundry.data.prepare import prepare, read_examples
    from foundry.encode.rows import encode
    from foundry.encode.tokenize import open_encoder
    from foundry.models.fetch import locate

    loaded = load_recipe("retail/customer-service")
    base = locate(options.base, loaded.path.parent)
    encoder = open_encoder(base)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "data")
        manifest = prepare(loaded.recipe.data, folder=loaded.path.parent, out=out)
        examples = read_examples(out.parent / manifest.part("train").file)
    return base, encoder, [encode(e, encoder).row for e in examples[: options.steps * BATCH]]


def with_adapter(base: Any) -> Any:
    """The base with our default LoRA, the same one at every call."""
    import torch

    from foundry.models.load import load_model
    from foundry.train.adapters import lora

    model = load_model(base)
    torch.manual_seed(SEED)
    return lora.attach(model, lora.Spec())


def measure_ours(options: argparse.Namespace) -> dict[str, Any]:
    """Our trainer as `foundry train` runs it, up to the last step."""
    from foundry.core.events import Events
    from foundry.core.rundir import RunDir
    from foundry.train.arrange import Arrangement
    from foundry.train.inputs import FitInputs
    from foundry.train.trainers import sft

    base, encoder, rows = prepared(options)
    marks: list[tuple[float, int]] = []
    losses: list[float] = []

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            marks.append((time.monotonic(), event["tokens"]))
            losses.append(event["loss"])

    with tempfile.TemporaryDirectory() as folder:
        run = RunDir(Path(folder))
        inputs = FitInputs(
            model=with_adapter(base),
            tokenizer=encoder.tokenizer,
            base=base,
            rows=rows,
            stop_ids=stops_of(rows),
            run=run,
            events=Events([listen]),
            seed=SEED,
            arrangement=Arrangement(),
            steps=options.steps,
        )
        spec = {"max_steps": options.steps, "learning_rate": LEARNING_RATE}
        sft.fit(inputs, sft.Spec(**spec, schedule="constant", checkpoint_every=10_000))
    return rated(marks) | {"first_loss": losses[0]}


def stops_of(rows: Sequence[Any]) -> list[int]:
    """The ids that end the rows' answers."""
    return sorted({[t for t in row.labels if t >= 0][-1] for row in rows})


def measure_trl(options: argparse.Namespace) -> dict[str, Any]:
    """A plain `SFTTrainer` on the same ids and labels."""
    from foundry.models.quiet import quiet

    base, encoder, rows = prepared(options)
    model = with_adapter(base)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from datasets import Dataset
        from transformers import TrainerCallback
        from trl import SFTConfig, SFTTrainer

        marks: list[tuple[float, int]] = []

        class Clock(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                marks.append((time.monotonic(), int(state.num_input_tokens_seen)))

        table = [{"input_ids": list(r.input_ids), "labels": list(r.labels)} for r in rows]
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                max_steps=options.steps,
                per_device_train_batch_size=1,
                gradient_accumulation_steps=BATCH,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="constant",
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                seed=SEED,
                data_seed=SEED,
                save_strategy="no",
                logging_steps=1,
                report_to="none",
                disable_tqdm=True,
                max_length=None,
                include_num_input_tokens_seen="non_padding",
            ),
            train_dataset=Dataset.from_list(table),
            processing_class=encoder.tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return rated(marks) | {"first_loss": losses[0]}


def rated(marks: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Tokens per second from the end of the first step on."""
    (begin, before), (end, after) = marks[0], marks[-1]
    tokens, seconds = after - before, end - begin
    return {"tokens": tokens, "seconds": round(seconds, 3), "tokens_per_s": tokens / seconds}


def summarise(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of each side, and of the ratio of neighbours with its range.

    Raises:
        ValueError: The two sides did not train on the same number of tokens.
    """
    by_side = {side: [r for r in results if r["side"] == side] for side in SIDES}
    if len({r["tokens"] for r in results}) != 1:
        raise ValueError(f"not the same rows: {[(r['side'], r['tokens']) for r in results]}")
    pairs = zip(by_side["ours"], by_side["trl"], strict=True)
    ratios = sorted(ours["tokens_per_s"] / trl["tokens_per_s"] for ours, trl in pairs)
    return {
        **{
            side: {
                "tokens_per_s": round(median(r["tokens_per_s"] for r in found), 1),
                "peak_mb": median(r["peak_mb"] for r in found),
                "first_loss": found[0]["first_loss"],
            }
            for side, found in by_side.items()
        },
        "ratio": {"median": round(median(ratios), 2), "low": ratios[0], "high": ratios[-1]},
        "rounds": len(ratios),
        "tokens": results[0]["tokens"],
    }


def shown(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = [f"{'':6}{'useful tokens/s':>16}{'peak MB':>9}{'first loss':>12}"]
    for side in SIDES:
        row = summary[side]
        lines.append(
            f"{side:6}{row['tokens_per_s']:16.1f}{row['peak_mb']:9.0f}{row['first_loss']:12.4f}"
        )
    ratio = summary["ratio"]
    lines.append(
        f"ours / trl: {ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}, "
        f"{summary['rounds']} rounds of {summary['tokens']} tokens)"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
