"""What each way of training costs and does in 20 steps of an embedded model, each proven.

    python scripts/bench_adapters.py --out DIR [--only NAME] [--trainer sft] [--write] [--shared]
    python scripts/bench_adapters.py --out DIR --table     print the table of what was trained

Each training is a run of its own, in a process of its own, with all proofs on; one that was
finished is not made again, and one that was killed goes on. One that fails leaves the others as
they are; the table names it and the exit status is 1. `--write` puts the table into
`docs/performance.md`; `--shared` notes that the machine had other work, which seconds tell of.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from foundry.core import atomic, plugins  # noqa: E402
from foundry.evals.arms.entry import measured_peak  # noqa: E402
from foundry.store.runs import Run, find  # noqa: E402
from scripts.performance import PAGE, machine, put_section  # noqa: E402

RECIPE, BASE, STEPS = "retail/customer-service", "gemma-3-270m", 20
SECTION, LIBRARIES = "Adapters", ("torch", "transformers", "peft", "trl")
RATE = 1.5e-3  # the recipe's own, of an update that begins at zero in a short run
# Of all weights a fifteenth ("LoRA Without Regret"). Of LoRA+ what `auto` takes: A at half the rate
# above and B at 16 times that had a loss of 31 in its third step. Of the others what the method's
# file says of its authors' rate over LoRA's (`TIMES_RATE`).
OWN_RATES = {"full": 1e-4, "lora-plus": 1e-4}
# The trainers, with their rate over that of sft. A preference is learned from a difference of whole
# answers: TRL's defaults are 2e-5 for sft and 1e-6 for dpo.
OVER = {"sft": 1.0, "dpo": 0.05}
LONGEST_S = 1800
COLUMNS = (
    *("adapter", "trainer", "first loss", "last loss", "seconds", "peak MB"),
    *("trained numbers", "file MB", "proofs"),
)
ABOUT = (
    f"{STEPS} steps of 8 rows of `{RECIPE}` on {BASE}, rank 16 where an update has one, each in a "
    "process of its own with all proofs on; seconds and peak are those of the whole training stage "
    "with loading and proofs. A loss is that of one step, and says nothing of the answers: for "
    "those there is `make study-adapters`. The learning rate of sft is "
    f"{RATE:g} times what the method's authors take over LoRA's, but "
    f"{' and '.join(f'{rate:g} for `{name}`' for name, rate in OWN_RATES.items())}; of dpo, "
    f"{OVER['dpo']:g} of that. `make bench-adapters`."
)
SHARED = "The machine had other work meanwhile: compare the seconds with care."
Result = dict[str, Any]


def main() -> int:
    """Train what is not trained yet, show the table; 1 where a training failed."""
    given = parse()
    failed = []
    for adapter, trainer in wanted(given):
        done = finished(given.out).get((adapter, trainer))
        if done is not None or given.table:
            continue
        said = train(adapter, trainer, given.out)
        print(f"{adapter} {trainer}: {said or 'done'}", file=sys.stderr)
        failed += [f"{adapter} {trainer}: {said}"] if said else []
    table = "\n".join(lines(finished(given.out), failed))
    print(table)
    if given.write is not None:
        note = f"\n\n{SHARED}" if given.shared else ""
        put_section(given.write, SECTION, f"{ABOUT}\n\n{machine(LIBRARIES)}{note}\n\n{table}")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train with every adapter, and compare.")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench-adapters")
    parser.add_argument("--only", action="append", help="an adapter; may be repeated")
    parser.add_argument("--trainer", action="append", help="may be repeated; default: sft, dpo")
    parser.add_argument("--table", action="store_true", help="train nothing")
    parser.add_argument("--shared", action="store_true", help="the machine has other work")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, help="put the table into this page"
    )
    return parser.parse_args()


def wanted(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Each adapter with each trainer that there is."""
    known = plugins.names("trainer")
    trainers = given.trainer or [name for name in OVER if name in known]
    for trainer in trainers:
        for adapter in given.only or plugins.names("adapter"):
            yield adapter, trainer


def finished(out: Path) -> dict[tuple[str, str], Run]:
    """The runs that were trained and proven, by adapter and trainer."""
    return {
        (str(run.value("adapter", "kind")), str(run.value("train", "kind"))): run
        for run in find(out / "runs")
        if run.result("train").get("steps") == STEPS
    }


def asked(adapter: str, trainer: str, out: Path) -> tuple[str, list[str]]:
    """The recipe of a training, and what is laid over it as with `--set`."""
    rate = OWN_RATES.get(adapter) or RATE * times_rate(adapter)
    values = [
        *(f"adapter={{kind: {adapter}}}", "exports=[]", "gates=[]", "evals=[]"),
        f"train={{kind: {trainer}, max_steps: {STEPS}, learning_rate: {rate * OVER[trainer]:g}, "
        f"checkpoint_every: {STEPS // 2}}}",
    ]
    return RECIPE if trainer == "sft" else str(preferences(out / trainer)), values


def train(adapter: str, trainer: str, out: Path) -> str | None:
    """One training in a process of its own, so that its peak is its own; why it failed."""
    recipe, values = asked(adapter, trainer, out)
    command = [sys.executable, "-m", "foundry", "train", recipe, "--runs", str(out / "runs")]
    command += ["--until", "train", "--accept-terms", "gemma"]
    command += [word for value in values for word in ("--set", value)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return f"longer than {LONGEST_S} s"
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def times_rate(adapter: str) -> float:
    """The rate of the method's authors over LoRA's."""
    return float(plugins.optional(plugins.load("adapter", adapter), "TIMES_RATE") or 1.0)


def preferences(folder: Path) -> Path:
    """A recipe on the shop's rows as pairs: the right answer, and that of another question."""
    with (ROOT / "recipes" / "retail" / "customer-service" / "train.csv").open(
        encoding="utf-8-sig", newline=""
    ) as stream:
        rows = list(csv.DictReader(stream))
    pairs = [
        {"prompt": row["問題"], "chosen": row["回答"], "rejected": other["回答"]}
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)
        if row["回答"] != other["回答"]
    ]
    lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs]
    atomic.write_text(folder / "pairs.jsonl", "".join(lines))
    declaration = {"basis": "own-work", "by": "AI Foundry"}
    source = {"path": "pairs.jsonl", "licence": "CC0-1.0", "declaration": declaration}
    recipe = {
        "schema_version": 1,
        "name": f"{folder.name}-pairs",
        "base_model": BASE,
        "data": {"sources": [source]},
    }
    atomic.write_text(folder / "recipe.yaml", json.dumps(recipe, ensure_ascii=False))
    return folder / "recipe.yaml"


def lines(done: Mapping[tuple[str, str], Run], failed: Sequence[str]) -> list[str]:
    """The table, by trainer and then by the numbers that are trained; and what failed."""
    rows = sorted(
        (figures(adapter, trainer, run) for (adapter, trainer), run in done.items()),
        key=lambda row: (row["trainer"] != "sft", row["trainer"], row["trained"]),
    )
    table = [f"| {' | '.join(COLUMNS)} |", f"|---|---|{'--:|' * (len(COLUMNS) - 3)}---|"]
    for row in rows:
        cells = (
            *(row["adapter"], row["trainer"], f"{row['first']:.4f}", f"{row['last']:.4f}"),
            *(f"{row['seconds']:.0f}", f"{row['peak'] / 1e6:,.0f}", f"{row['trained']:,}"),
            *(f"{row['size'] / 1e6:,.2f}", row["proofs"]),
        )
        table.append(f"| {' | '.join(cells)} |")
    return [*table, *(f"\n- not trained: {one}" for one in failed)]


def figures(adapter: str, trainer: str, run: Run) -> Result:
    """What a run took and came to."""
    made = run.result("train")
    folder = run.dir.file(made["adapter"])
    return {
        "adapter": adapter,
        "trainer": trainer,
        "first": made["first_loss"],
        "last": made["last_loss"],
        "seconds": run.stamps["train"]["seconds"],
        "peak": measured_peak(run) or 0,
        "trained": made["trainable_parameters"],
        "size": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "proofs": ", ".join(made["proof"]),
    }


if __name__ == "__main__":
    raise SystemExit(main())
