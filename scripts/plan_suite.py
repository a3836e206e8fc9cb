"""How far the plan is off on this machine: small trainings, each in a process of its own.

    nice -n -20 python scripts/plan_suite.py --out DIR      train (5 minutes), then print the table
    python scripts/plan_suite.py --out DIR --table          print the table of what was trained

`--embedded` trains the embedded models as well, `--only NAME` those alone whose name holds it,
`--write` puts the table into `docs/performance.md`. One that fails (out of memory, say) leaves the
others as they are; the table names it and the exit status is 1. The same where the plan is further
off than issue 5 asks. See `scripts/plan_table.py`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from foundry.planning import learning  # noqa: E402
from foundry.planning.learning import Sample  # noqa: E402
from scripts import plan_table  # noqa: E402
from scripts.performance import PAGE, machine, put_section  # noqa: E402

WORDS = (
    "電風扇保固多久售價三百元顏色白色產地台灣 the fan costs dollars and has a warranty of one year"
)
RECIPE, RUNS = "recipe.yaml", "runs"
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


LONGEST_S = 1800  # of one training
FAILURES = (OSError, RuntimeError, MemoryError, subprocess.SubprocessError)
SECTION, LIBRARIES = "Plan", ("torch", "transformers", "peft", "trl")
ABOUT = (
    "Small trainings on one machine beside what the plan foretells of them: random models of three "
    "families and, where they were asked for, the embedded ones, each in a process of its own. "
    "Each is foretold by a calibration from the others, as `foundry plan --calibrate` makes it. "
    "`python scripts/plan_suite.py --out DIR --embedded --write`."
)


@dataclass(frozen=True)
class Training:
    """One of the suite: its name, and what writes its recipe into a folder of that name."""

    name: str
    write: Callable[[Path], object]


def main() -> int:
    """Train the suite unless only the table is asked for, and show it; 1 where it falls short."""
    given = parse()
    begun = {path.parent.name for path in given.out.glob(f"*/{RECIPE}")}
    if not given.table:
        for one in suite(embedded=given.embedded):
            if given.only in one.name:
                begun.add(one.name)
                attempt(one, given.out)
    found = ended(given.out)
    failed = sorted(begun - set(found))
    try:
        made = plan_table.foretell(found)
    except ValueError as error:
        print(f"no table: {error}", file=sys.stderr)
        return 1
    table = "\n".join(plan_table.lines(made, failed))
    print(table)
    if given.write is not None:
        put_section(given.write, SECTION, f"{ABOUT}\n\n{machine(LIBRARIES)}\n\n{table}")
    return 1 if failed or not plan_table.summarise(made).is_met else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How far the plan is off on this machine.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--embedded", action="store_true", help="the embedded models as well")
    parser.add_argument("--only", default="", metavar="NAME", help="those whose name holds it")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, help="put the table into this page"
    )
    return parser.parse_args()


def ended(out: Path) -> dict[str, Sample]:
    """The trainings that ended, by their names; a run has its plan's fingerprint behind that."""
    found = learning.samples(out / RUNS)
    return {run.rpartition("-")[0]: one for run, one in found.items()}


def suite(*, embedded: bool) -> Iterator[Training]:
    """What is trained, the random models first."""
    for number, size in enumerate(SIZES):
        family = FAMILIES[number % len(FAMILIES)]
        name = f"{number:02}-{family}-{size[0]}x{size[1]}"
        yield Training(name, partial(random_recipe, family=family, size=size))
    for number, (base, words, steps) in enumerate(EMBEDDED if embedded else ()):
        block = {"train": {"max_steps": steps, "learning_rate": 1e-4}}
        name = f"{len(SIZES) + number}-{base}-{words}"
        yield Training(name, partial(written, base=base, words=words, blocks=block))


def random_recipe(folder: Path, *, family: str, size: Sequence[int]) -> Path:
    """Write a recipe with its rows and its base model."""
    layers, hidden, vocabulary, rank, words, batch, tokens, steps = size
    train_block = {"max_steps": steps, "global_batch_size": batch, "pack_tokens": tokens}
    written(
        folder, base="base", words=words, blocks={"adapter": {"rank": rank}, "train": train_block}
    )
    build(folder / "base", family, layers, hidden, vocabulary)
    return folder


def attempt(one: Training, out: Path) -> None:
    """Train one, and say how it went; what goes wrong is its own."""
    folder = out / one.name
    try:
        one.write(folder)
        outcome = train(folder, out / RUNS)
    except FAILURES as error:
        outcome = f"{type(error).__name__}: {error}"
    print(f"{one.name}: {outcome}", file=sys.stderr)


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


def written(folder: Path, *, base: str, words: int, blocks: Mapping[str, Any]) -> Path:
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
    (folder / RECIPE).write_text(json.dumps(recipe, ensure_ascii=False), encoding="utf-8")
    return folder


def train(folder: Path, runs: Path) -> str:
    """One training in a process of its own, so that its peak is its own; how it went.

    Raises:
        subprocess.TimeoutExpired: It took longer than any of the suite may.
    """
    terms = [part for name in ("unknown", "gemma") for part in ("--accept-terms", name)]
    where = [str(folder / RECIPE), "--runs", str(runs), "--until", "train", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "foundry", "train", *where, *terms],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    if done.returncode == 0:
        return "trained"
    return f"exit status {done.returncode}: {done.stdout[-600:]}{done.stderr[-300:]}"


if __name__ == "__main__":
    sys.exit(main())
