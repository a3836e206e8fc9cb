"""Training speed of our trainer, of TRL's defaults and of TRL with its own best switches.

    python scripts/bench.py --search [--number-type bfloat16]  # TRL's best switches, once here
    python scripts/bench.py [--rounds 5] [--steps 10] [--data ALPACA.json] [--write]

Each measurement is a process of its own; the sides alternate, so that a machine that warms up or
has other work weighs on all. *Useful* tokens are those that are not padding; the first step, which
warms up, is not counted. All train the same LoRA on the same batches of 8 rows from the same seed,
and the first loss of each must be the same, or there is no result. Peak memory is that of the
process at the end of the last step. In bfloat16 both compute by autocast on float32 weights; ours
is set beside TRL in the same number type. Every measurement is kept in `--results` and not made
again for the same code, machine and rows; so a run that was stopped goes on. `--write` puts the
figures into `docs/performance.md`.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Run as a file, Python looks for modules beside it; what is measured is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from foundry.core import allocator, atomic
from scripts.performance import PAGE, machine, put_section, ranged, spread

ROOT = Path(__file__).resolve().parents[1]
BASES = ("smollm2-135m", "gemma-3-270m")
TYPES = ("float32", "bfloat16")
BATCH = 8  # rows of a step, as in `bench_sides.py`
OURS, OURS_IN_HALF = "ours", "ours, bfloat16"
TRL_IN_HALF = "trl-tuned, bfloat16"
# With the libraries that `foundry train` takes: what is left is what our own code does.
TRL_WITH_OURS = "trl-tuned, jemalloc and oneDNN"
SIDES = (OURS, "trl-tuned", TRL_WITH_OURS, OURS_IN_HALF, TRL_IN_HALF, "trl-defaults")
# As these libraries have them by default.
UNBOUNDED = dict.fromkeys(("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"), "1024")
LIBRARIES = ("torch", "transformers", "peft", "trl")
SWITCHES = ROOT / "scripts" / "bench_trl.json"
LOSS_TOLERANCE = 1e-4  # float32 sums in another order; bfloat16, in which TRL's defaults run: below
HALF_LOSS_TOLERANCE = 5e-2
# What a person can switch in TRL's trainer and what may be faster on a processor.
GRID = [
    {"bf16": half, "gradient_checkpointing": again, "micro_batch": rows, "packing": packed}
    for half in (False, True)
    for again in (False, True)
    for rows in (1, 2, 4, 8)
    for packed in (False, True)
    if not (packed and rows > 1)
]
COLUMNS = (
    *("base, side", "useful tokens/s", "supervised tokens/s", "peak MB", "share of GEMM peak"),
    *("ours ÷ it: speed", "ours ÷ it: memory", "first loss", "n"),
)
ABOUT = (
    "LoRA of rank 16 on every linear layer, 8 rows a step, rows of at most 512 tokens; the same "
    "rows, seed and adapter on each side, measured in turns. Medians with their range; ratios of "
    "neighbouring measurements, in the same number type but for TRL's defaults, which compute in "
    "bfloat16. *Share*: operations that training cannot do without, over a square matrix product "
    "in the same number type measured in the same process before, by the quickest library. Where "
    "the machine has jemalloc, ours computes with it, as `foundry train` does, and where oneDNN's "
    "float32 products are as exact and quicker, with those; what both do for TRL is shown beside, "
    "where it was measured. `make bench`."
)
Result = dict[str, Any]


def main() -> None:
    options = parse()
    if options.search:
        for base in options.base:
            search(base, options)
        return
    results = [
        found for base in options.base for found in measured(base, options, rounds=options.rounds)
    ]
    summary = {base: summarise([r for r in results if r["base"] == base]) for base in options.base}
    print(json.dumps(summary, indent=2) if options.json else "\n".join(shown(summary)))
    if options.write:
        write(PAGE, summary, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare our trainer's speed with TRL's.")
    parser.add_argument("--base", action="append", help="may be repeated; default: both")
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps of 8 rows")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", help="rows of an Alpaca JSON file instead of the shop's recipe")
    parser.add_argument("--pack-tokens", type=int, default=512)
    parser.add_argument("--side", action="append", choices=SIDES, help="default: all")
    parser.add_argument("--limit", type=int, default=1200, help="seconds for one measurement")
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "bench.jsonl")
    parser.add_argument("--search", action="store_true", help="try TRL's switches, keep the best")
    parser.add_argument("--number-type", action="append", choices=TYPES, help="of those to try")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the figures into the page")
    options = parser.parse_args()
    options.base, options.side = options.base or list(BASES), options.side or list(SIDES)
    options.number_type = options.number_type or list(TYPES)
    return options


def measured(base: str, options: argparse.Namespace, *, rounds: int) -> Iterator[Result]:
    """Every side in turn, so many rounds."""
    for number in range(rounds):
        for side in options.side:
            yield one(side, base, number, given(side, base, options), options)


def given(side: str, base: str, options: argparse.Namespace) -> Result:
    """What a measurement is told, which is also what makes it the same as another."""
    if side not in (OURS, OURS_IN_HALF):
        best = {} if side == "trl-defaults" else best_switches(base, side)
        return given_trl(side, base, options, best)
    chosen = {"pack_tokens": options.pack_tokens, "dtype": number_type(side), "code": code()}
    return {**told(side, base, options), "side": OURS, **chosen}


def number_type(side: str) -> str:
    """What a side computes in."""
    return "bfloat16" if side in (OURS_IN_HALF, TRL_IN_HALF) else "float32"


def given_trl(side: str, base: str, options: argparse.Namespace, switches: Result) -> Result:
    """What a measurement of TRL with these switches is told."""
    return {**told(side, base, options), "side": "trl", "trl": switches}


def told(side: str, base: str, options: argparse.Namespace) -> Result:
    """What every measurement is told."""
    steps = 2 if side == "trl-defaults" else options.steps  # minutes a step in bfloat16
    wants = side in (OURS, OURS_IN_HALF, TRL_WITH_OURS)
    has = wants and allocator.library() is not None
    allocated = "jemalloc" if has else "system"
    made: Result = {"base": base, "data": options.data, "steps": steps, "allocator": allocated}
    if steps < options.steps:  # the same rows are drawn from, so that the first step has the same
        made["rows"] = options.steps * BATCH
    return {**made, "quick_products": wants, "side": side}


def one(side: str, base: str, number: int, told: Result, options: argparse.Namespace) -> Result:
    """One measurement, from the file of results where it was made before."""
    key = {**told, "round": number, "machine": machine(LIBRARIES)}
    kept = read(options.results)
    for found in kept:
        if found["key"] == key:
            return dict(found)
    found = {"key": key, "side": side, "base": base} | run(told, options.limit)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(line) + "\n" for line in [*kept, found]]
    atomic.write_text(options.results, "".join(lines))
    rate = found["tokens_per_s"]
    print(f"{base} {side} {number + 1}: {rate:.1f} tokens/s", file=sys.stderr)
    return found


def read(results: Path) -> list[Result]:
    if not results.is_file():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def run(told: Result, limit: int) -> Result:
    """A measurement in a fresh process; a rate of 0 where it took longer than `limit` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder, "asked.json"), Path(folder, "result.json")
        asked.write_text(json.dumps(told), encoding="utf-8")
        command = [sys.executable, str(ROOT / "scripts" / "bench_sides.py"), str(asked), str(out)]
        environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
        if not told["quick_products"]:
            environment |= UNBOUNDED
        if told["allocator"] == "jemalloc":
            environment = allocator.environment(environment)
        try:
            subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL, timeout=limit, env=environment
            )
        except subprocess.TimeoutExpired:
            nothing = dict.fromkeys(("tokens_per_s", "supervised_per_s", "share", "peak_mb"), 0.0)
            return {**nothing, "tokens": 0, "first_loss": None, "longer_than_s": limit}
        return dict(json.loads(out.read_text(encoding="utf-8")))


def code() -> str:
    """A digest of our own sources: other code is another measurement."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "foundry").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def search(base: str, options: argparse.Namespace) -> None:
    """Measure combinations of switches and keep the fastest whose loss is ours, in each type.

    Three steps each. What packs trains on other batches: it is measured and written down too, but
    not chosen. What was tried in the other type on this machine stays; so does what was tried
    before a search was stopped.
    """
    options.steps = 3
    here, known = machine(LIBRARIES), known_switches()
    before = known.get(base, {})
    tried = list(before["tried"]) if before.get("machine") == here else []
    for switches in GRID:
        side = TRL_IN_HALF if switches["bf16"] else "trl-tuned"
        if number_type(side) not in options.number_type:
            continue
        ours = one(ours_of(side), base, 0, given(ours_of(side), base, options), options)
        found = one(side, base, 0, given_trl(side, base, options, switches), options)
        is_same = not switches["packing"] and is_right(found, ours, side)
        rate = round(found["tokens_per_s"], 1)
        tried = [entry for entry in tried if entry["switches"] != switches]
        tried.append({"switches": switches, "tokens_per_s": rate, "same_loss": is_same})
        tried.sort(key=lambda entry: -entry["tokens_per_s"])
        known[base] = {"machine": here, "best": best_of(tried), "tried": tried}
        atomic.write_json(SWITCHES, known)


def best_of(tried: Sequence[Result]) -> Result:
    """By number type, the fastest that trains as we do; `tried` begins with the fastest."""
    right = [entry["switches"] for entry in tried if entry["same_loss"]]
    halves = {"float32": False, "bfloat16": True}
    return {
        name: next((switches for switches in right if switches["bf16"] == half), None)
        for name, half in halves.items()
    }


def known_switches() -> dict[str, Any]:
    """What searches found, by base."""
    return json.loads(SWITCHES.read_text(encoding="utf-8")) if SWITCHES.is_file() else {}


def best_switches(base: str, side: str) -> Result:
    """What the search found on this machine for a side of TRL's.

    Raises:
        SystemExit: There was none yet, or it was on another: what is fastest differs.
    """
    known, here = known_switches(), machine(LIBRARIES)
    kind = number_type(side)
    fix = f"run `python scripts/bench.py --search --number-type {kind}`"
    if base not in known or known[base]["best"][kind] is None:
        raise SystemExit(f"{base}: no switches known for {kind}; {fix}")
    there = known[base]["machine"]
    if there != here:
        raise SystemExit(
            f"{base}: the switches are of another machine ({there}; here {here}); {fix}"
        )
    return dict(known[base]["best"][kind])


def ours_of(side: str) -> str:
    """Our side that one of TRL's is set beside."""
    return OURS_IN_HALF if number_type(side) == "bfloat16" else OURS


def is_right(found: Result, ours: Result, side: str) -> bool:
    """Whether a side's first loss is ours, by how its numbers round."""
    is_half = number_type(side) == "bfloat16" or side == "trl-defaults"
    tolerance = HALF_LOSS_TOLERANCE if is_half else LOSS_TOLERANCE
    return found["first_loss"] is not None and same(found, ours, tolerance)


def same(found: Result, other: Result, tolerance: float) -> bool:
    return abs(found["first_loss"] - other["first_loss"]) <= tolerance * abs(other["first_loss"])


def summarise(results: Sequence[Result]) -> dict[str, Result]:
    """Medians with ranges of each side; ratios of ours to each other of the same round.

    Raises:
        ValueError: A side's first loss is another than ours: not the same rows, or not the same
            model.
    """
    by_side = {side: [r for r in results if r["side"] == side] for side in SIDES}
    first, made = (by_side[OURS] or by_side[OURS_IN_HALF])[0], {}
    for side, found in by_side.items():
        done, ours = [r for r in found if r["first_loss"] is not None], by_side[ours_of(side)]
        wrong = [r for r in done if not is_right(r, first, side)]
        if wrong:
            raise ValueError(f"{side}: not the same first loss: {wrong[0]['first_loss']}")
        if not found:
            continue
        pairs = [(a, b) for a, b in zip(ours, found, strict=False) if b in done]
        made[side] = {
            "n": len(found),
            "first_loss": done[0]["first_loss"] if done else None,
            "longer_than_s": max((r.get("longer_than_s", 0) for r in found), default=0),
            **{key: spread([r[key] for r in done]) for key in MEASURES},
            "speed": spread([a["tokens_per_s"] / b["tokens_per_s"] for a, b in pairs]),
            "memory": spread([a["peak_mb"] / b["peak_mb"] for a, b in pairs]),
        }
    return made


MEASURES = ("tokens_per_s", "supervised_per_s", "share", "peak_mb")


def cells(side: str, row: Result) -> list[str]:
    """A row of the table after its name."""
    if row["first_loss"] is None:
        return [f"none within {row['longer_than_s']} s", *["–"] * 6, str(row["n"])]
    ratios = ["–", "–"]
    if side not in (OURS, OURS_IN_HALF):
        ratios = [ranged(row["speed"], ".2f"), ranged(row["memory"], ".2f")]
    return [
        ranged(row["tokens_per_s"], ".1f"),
        ranged(row["supervised_per_s"], ".1f"),
        ranged(row["peak_mb"], ",.0f"),
        ranged(row["share"], ".0%"),
        *ratios,
        f"{row['first_loss']:.4f}",
        str(row["n"]),
    ]


def shown(summary: Mapping[str, Mapping[str, Result]]) -> Iterator[str]:
    """The table in Markdown."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|---|{'--:|' * (len(COLUMNS) - 1)}"
    for base, sides in summary.items():
        for side, row in sides.items():
            yield f"| {base}, {side} | {' | '.join(cells(side, row))} |"


def write(page: Path, summary: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Put the table into the section `Training` of the page."""
    rows = Path(options.data).name if options.data else "the shop's recipe"
    known = known_switches()
    best = [
        f"- {base}, TRL's best switches of the {len(known[base]['tried'])} combinations tried: "
        f"`{json.dumps(known[base]['best'])}`"
        for base in summary
        if base in known
    ]
    measured_on = f"{machine(LIBRARIES)}; {options.steps} steps of rows of {rows}"
    put_section(
        page, "Training", "\n".join([ABOUT, "", measured_on, "", *shown(summary), "", *best])
    )


if __name__ == "__main__":
    main()
