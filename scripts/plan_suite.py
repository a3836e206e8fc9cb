"""How far the plan is off on this machine: small trainings, each in a process of its own.

    nice -n -20 python scripts/plan_suite.py --out DIR      train (5 minutes), then print the table
    python scripts/plan_suite.py --out DIR --table          print the table of what was trained

Each run is foretold by a calibration from the other runs (leave one out). Printed are the median
relative errors of time and peak memory, the same without any calibration, and by how much the
upper bound of memory is above the measured peak in the worst run.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from foundry.planning import learning  # noqa: E402
from foundry.planning.learning import Sample  # noqa: E402

WORDS = (
    "電風扇保固多久售價三百元顏色白色產地台灣 the fan costs dollars and has a warranty of one year"
)
FAMILIES = ("llama", "qwen3", "gemma3")
# layers, hidden, vocabulary, rank, words of a row, rows in a step, tokens in a pass, steps
SIZES = (
    (2, 128, 640, 4, 20, 8, 512, 20),
    (4, 256, 640, 8, 40, 8, 512, 15),
    (8, 256, 4096, 16, 60, 8, 512, 10),
    (6, 512, 8192, 8, 30, 8, 256, 8),
    (12, 384, 8192, 32, 80, 4, 512, 6),
    (8, 768, 16384, 16, 60, 4, 512, 4),
    (16, 512, 640, 64, 120, 4, 1024, 4),
    (10, 640, 32768, 16, 100, 4, 512, 4),
    (4, 1024, 8192, 128, 50, 4, 512, 4),
    (24, 256, 640, 16, 40, 16, 1024, 5),
)
EMBEDDED = (("smollm2-135m", 40, 10), ("gemma-3-270m", 40, 8), ("smollm2-135m", 120, 6))


def main() -> None:
    """Train the suite unless only the table is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--embedded", action="store_true", help="the embedded models as well")
    given = parser.parse_args()
    if not given.table:
        for folder in recipes(given.out, embedded=given.embedded):
            train(folder, given.out / "runs")
    print_table(learning.samples(given.out / "runs"))


def recipes(out: Path, *, embedded: bool) -> Iterator[Path]:
    """Write each recipe with its rows and its base model; the folders, one after the other."""
    for number, size in enumerate(SIZES):
        family = FAMILIES[number % len(FAMILIES)]
        layers, hidden, vocabulary, rank, words, batch, tokens, steps = size
        folder = out / f"{number:02}-{family}-{layers}x{hidden}"
        build(folder / "base", family, layers, hidden, vocabulary)
        train_block = {"max_steps": steps, "global_batch_size": batch, "pack_tokens": tokens}
        yield written(folder, "base", words, {"adapter": {"rank": rank}, "train": train_block})
    for number, (name, words, steps) in enumerate(EMBEDDED if embedded else ()):
        block = {"train": {"max_steps": steps, "learning_rate": 1e-4}}
        yield written(out / f"1{number}-{name}-{words}", name, words, block)


def build(folder: Path, family: str, layers: int, hidden: int, vocabulary: int) -> None:
    """A random model of the family's class; its tokenizer is the tests'."""
    import torch

    from tests import tiny
    from tests.tiny_models import MODELS

    if (folder / "config.json").exists():
        return
    tokenizer, made = tiny.tiny_tokenizer(family), MODELS[family]
    kinds = ["sliding_attention", "full_attention"] * (layers // 2)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": max(1, hidden // 128),
        "head_dim": 64,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(0)
    own = {**made.settings, **({"layer_types": kinds} if family == "gemma3" else {})}
    model = type(made)(**{**vars(made), "settings": own}).build(sizes)
    # Without it the head of a random model could not learn, and the proof would refuse the run.
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=tiny.EMBEDDING_STD)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def written(folder: Path, base: str, words: int, blocks: Mapping[str, Any]) -> Path:
    """A recipe on rows of up to so many words."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(96):
        length = words // 2 + number * 7 % (words // 2 + 1)
        text = "".join(WORDS[(number * 13 + i) % len(WORDS)] for i in range(length))
        rows.append({"instruction": f"{number} {text}", "output": text[: 4 + length // 3]})
    (folder / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    source = {
        "path": "rows.json",
        "licence": "CC0-1.0",
        "declaration": {"basis": "own-work", "by": "a benchmark"},
    }
    recipe = {
        "schema_version": 1,
        "name": folder.name,
        "base_model": base,
        "purpose": "research",
        "data": {"sources": [source], "format": {"kind": "instruction"}},
        "exports": [],
        **blocks,
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe, ensure_ascii=False), encoding="utf-8")
    return folder


def train(folder: Path, runs: Path) -> None:
    """One training in a process of its own, so that its peak is its own."""
    terms = [part for name in ("unknown", "gemma") for part in ("--accept-terms", name)]
    where = [str(folder / "recipe.yaml"), "--runs", str(runs), "--until", "train", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "foundry", "train", *where, *terms],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = "trained" if done.returncode == 0 else done.stdout[-600:] + done.stderr[-300:]
    print(f"{folder.name}: {outcome}", file=sys.stderr)


def print_table(found: list[Sample]) -> None:
    """Errors of every run, and their medians."""
    print("run | s | foretold | MB | foretold | at most")
    times, memories, spare = [], [], []
    for number, one in enumerate(found):
        made = learning.calibrate([*found[:number], *found[number + 1 :]])
        seconds = learning.expected_seconds(one, made.time)
        middle, most = (learning.expected_bytes(one, made.memory, bound) for bound in (1, 2))
        times.append(abs(seconds / one.seconds - 1))
        memories.append(abs(middle / one.peak_bytes - 1))
        spare.append(most / one.peak_bytes - 1)
        sizes = " | ".join(f"{n / 1e6:.0f}" for n in (one.peak_bytes, middle, most))
        print(f"{number} | {one.seconds:.1f} | {seconds:.1f} | {sizes}")
    print(f"median error of time {median(times):.0%}, of memory {median(memories):.0%}")
    print(f"upper bound of memory above the peak by {min(spare):.0%} in the worst run")


if __name__ == "__main__":
    main()
