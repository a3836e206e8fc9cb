"""Rows rendered, masked and tokenised per second, by us and by TRL's `assistant_only_loss`.

    python scripts/bench_encode.py [--rows 1000 10000 100000] [--rounds 3] [--json] [--write]

The rows are conversations of one to four exchanges made of the shop's questions and answers. Each
measurement is a process of its own, and the two sides alternate. Ours reads the examples from
their file and writes the shard and the mask report. TRL's is the preparation that `SFTTrainer`
makes of a data set that is already loaded, in one process, with TRL's own training variant of the
same chat template; it writes its cache. Nothing is trained. Both must give the same ids, or there
is no result. (The labels differ where TRL's markers take in what follows the terminator, as the
line break after Gemma's.) `--write` puts the figures into `docs/performance.md`; sizes that are not
measured anew stay there if the machine and the libraries are the same.
"""

import argparse
import hashlib
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import psutil

# Run as a file, Python looks for modules beside it; what is measured is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.performance import PAGE, machine, write_section

T = TypeVar("T")

SIDES = ("ours", "trl")
EXCHANGES = 4  # the most of a conversation
MAX_SEQ_LEN = 4096  # more tokens than any of these conversations has
MANY_ROWS, ROUNDS_OF_MANY = 100_000, 2
WATCHED_S = 2.0  # a look at all processes takes some 20 ms of computing
REPORTED = 10_000  # rows after which a measurement says how far it is
LIBRARIES = ("tokenizers", "transformers", "trl", "datasets", "pyarrow")
ABOUT = (
    "Rows rendered, masked and tokenised per second: our encode stage, from the examples' file to "
    "shard and mask report, and `SFTTrainer`'s own preparation with `assistant_only_loss`, in one "
    "process, of a loaded data set. Conversations of one to four exchanges; both make the same "
    "ids. Medians; ratios of neighbouring measurements, with their range. Memory is that of all "
    "processes together, what they share counted once. `python scripts/bench_encode.py --write`."
)
COLUMNS = ("rows", "ours, rows/s", "TRL, rows/s", "ours / TRL", "ours, peak MB", "TRL, peak MB")


def main() -> None:
    """Run every round, or, when called by itself with `--side`, one measurement."""
    options = parse()
    if options.side:
        measured = {"ours": measure_ours, "trl": measure_trl}[options.side](options)
        Path(options.out).write_text(json.dumps(measured), encoding="utf-8")
        return
    results, summary = list[dict[str, Any]](), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as folder:
        for count in options.rows:
            examples = write_examples(count, Path(folder))
            rounds = min(options.rounds, ROUNDS_OF_MANY) if count >= MANY_ROWS else options.rounds
            results += [
                measure(side, count, options, examples, f"round {n} of {rounds}")
                for n in range(1, rounds + 1)
                for side in SIDES
            ]
            summary.append(summarise(count, results))
            if options.write is not None:  # what is measured stays if a longer size is stopped
                write(options.write, options.base, summary)
    if options.json:
        print(json.dumps({"base": options.base, "summary": summary, "runs": results}, indent=2))
    else:
        print(shown(summary))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare our encoding's speed with TRL's.")
    parser.add_argument("--base", default="gemma-3-270m")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3, help="at most 2 from 100,000 rows on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, help="put the figures into this page"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--examples", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_examples(count: int, folder: Path) -> Path:
    """A part's file of `count` conversations."""
    from foundry.core.load import load_recipe
    from foundry.core.records import Example, Turn
    from foundry.data.prepare import prepare, read_examples

    path = folder / f"{count}.jsonl"
    loaded = load_recipe("retail/customer-service")
    out = folder / "data"
    manifest = prepare(loaded.recipe.data, folder=loaded.path.parent, out=out)
    shop = read_examples(folder / manifest.part("train").file)
    pairs = [example.messages for example in shop]
    with path.open("w", encoding="utf-8") as stream:
        for n in range(count):
            turns = list[Turn]()
            for k in range(1 + n % EXCHANGES):
                question, answer = pairs[(7 * n + k) % len(pairs)]
                turns += [Turn("user", f"{question.content}（{n}）"), answer]
            example = Example(f"row-{n}", tuple(turns), path.name, n + 1, str(n))
            stream.write(json.dumps(example.as_dict(), ensure_ascii=False) + "\n")
    return path


def measure(
    side: str, count: int, options: argparse.Namespace, examples: Path, place: str
) -> dict[str, Any]:
    """One measurement in a fresh process."""
    print(f"{count} {side}: {place}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "result.json")
        command = [sys.executable, __file__, "--side", side, "--out", str(out)]
        command += ["--base", options.base, "--examples", str(examples)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found = {"side": side, "rows": count, **json.loads(out.read_text(encoding="utf-8"))}
    rate, peak = found["rows_per_s"], found["peak_mb"]
    print(f"{count} {side}: {rate:.0f} rows/s, {peak} MB", file=sys.stderr)
    return found


class Clock:
    """Seconds on the wall, seconds of computing with all children, and memory, from its making."""

    def __init__(self) -> None:
        self.before_mb = self.most_mb = peak_mb()
        self.wall, self.computing = time.monotonic(), computed()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most_mb = max(self.most_mb, together_mb())
            time.sleep(WATCHED_S)

    def read(self, count: int) -> dict[str, Any]:
        """What passed since; memory is that of this process and its children together."""
        seconds, computing = time.monotonic() - self.wall, computed() - self.computing
        return {
            "seconds": round(seconds, 3),
            "rows_per_s": count / seconds,
            "cpu_ms_per_row": round(1000 * computing / count, 4),
            "before_mb": self.before_mb,
            "peak_mb": max(self.most_mb, peak_mb()),
        }


def together_mb() -> int:
    """Memory of this process and its children now; what several share is counted once.

    The proportional set size of proc_pid_smaps(5).
    """
    own = psutil.Process()
    found = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(OSError):  # it has ended meanwhile
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
            found += next(int(x.split()[1]) for x in lines.splitlines() if x.startswith("Pss:"))
    return found // 1024


def computed() -> float:
    """Seconds that this process and those it has ended computed."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(who) for who in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb() -> int:
    """Most memory of this process ever resident; kilobytes on Linux, see getrusage(2)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure_ours(options: argparse.Namespace) -> dict[str, Any]:
    """The encode stage: examples from their file, shard and report to theirs."""
    from foundry.core import atomic
    from foundry.core.recipe import Encode
    from foundry.data.prepare import iterate_lines
    from foundry.encode import render
    from foundry.encode.mask_report import MaskReport
    from foundry.encode.shards import read_shards, write_shards

    encoder, _training = opened(options.base)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        shards = write_shards(
            reporting(iterate_lines(options.examples)),
            Encode(max_seq_len=MAX_SEQ_LEN),
            MaskReport(encoder),
            key_parts={},
            folder=Path(folder),
        )
        atomic.write_json(Path(folder, "mask_report.json"), shards.mask)
        render.stop()  # so that its time is known
        measured = clock.read(shards.rows)
        rows = read_shards(Path(folder, shards.file))
    return measured | fingerprints((row.input_ids, row.labels) for row in rows)


def reporting(items: Iterable[T]) -> Iterator[T]:
    """The items, saying on stderr how many there were."""
    for count, item in enumerate(items, start=1):
        yield item
        tell(count)


def tell(count: int) -> None:
    """Say a number of rows if it is a round one."""
    if count % REPORTED == 0:
        print(f"  {count} rows", file=sys.stderr)


def tell_progress(kind: Any) -> None:
    """Let tokenizers of a class say on stderr how many conversations they rendered.

    That takes a call of a Python function, a thousandth of what TRL's preparation takes for a row.
    """
    rendered, plain = itertools.count(1), kind.apply_chat_template

    def apply_chat_template(self: Any, *arguments: Any, **options: Any) -> Any:
        tell(next(rendered))
        return plain(self, *arguments, **options)

    kind.apply_chat_template = apply_chat_template


def opened(base_name: str) -> tuple[Any, str]:
    """The encoder of an embedded base with the template of its family, and TRL's variant of it.

    The variant has markers around what the assistant says.
    """
    from foundry.encode.tokenize import encoder_of
    from foundry.models.fetch import locate
    from foundry.models.load import family_template
    from foundry.models.tokenizer import load_tokenizer

    base = locate(base_name, Path.cwd())
    template = family_template(base.family)
    assert template is not None, "TRL is not installed"
    variant = template.with_stem(f"{template.stem}_training")
    encoder = encoder_of(load_tokenizer(base), template.read_text(encoding="utf-8"))
    return encoder, variant.read_text(encoding="utf-8")


def measure_trl(options: argparse.Namespace) -> dict[str, Any]:
    """`SFTTrainer`'s own preparation of a loaded data set, in one process."""
    from foundry.models.quiet import quiet

    encoder, training = opened(options.base)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from datasets import load_dataset
        from transformers import LlamaConfig, LlamaForCausalLM
        from trl import SFTConfig, SFTTrainer

        measured: dict[str, Any] = {}

        class Timed(SFTTrainer):
            def _prepare_dataset(self, dataset: Any, *arguments: Any, **options: Any) -> Any:
                clock = Clock()
                made = super()._prepare_dataset(dataset, *arguments, **options)
                measured.update(clock.read(len(dataset)))
                return made

        tokenizer = encoder.tokenizer
        tokenizer.chat_template = training
        tell_progress(type(tokenizer))
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        table = load_dataset(
            "json", data_files=str(options.examples), split="train", cache_dir=folder
        ).select_columns("messages")
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
        )
        arguments = SFTConfig(
            output_dir=folder,
            assistant_only_loss=True,
            max_length=None,
            use_cpu=True,
            bf16=False,
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Timed(  # a trainer wants a model; this one is never trained
            model=LlamaForCausalLM(config),
            args=arguments,
            train_dataset=table,
            processing_class=tokenizer,
        )
        rows = ((row["input_ids"], row["labels"]) for row in trainer.train_dataset)
        return measured | fingerprints(rows)


def fingerprints(rows: Iterable[tuple[Sequence[int], Sequence[int]]]) -> dict[str, Any]:
    """The hash of all ids, and how many tokens are supervised."""
    digest, supervised = hashlib.sha256(), 0
    for ids, labels in rows:
        digest.update(json.dumps(list(ids)).encode())
        supervised += sum(label >= 0 for label in labels)
    return {"ids": digest.hexdigest(), "supervised": supervised}


def summarise(count: int, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of each side at `count` rows, and of the ratio of neighbours with its range.

    Raises:
        ValueError: The two sides did not make the same ids.
    """
    found = [result for result in results if result["rows"] == count]
    if len({result["ids"] for result in found}) != 1:
        raise ValueError(f"not the same ids at {count} rows")
    sides = {side: [one for one in found if one["side"] == side] for side in SIDES}
    pairs = list(zip(sides["ours"], sides["trl"], strict=True))
    ratios = sorted(ours["rows_per_s"] / trl["rows_per_s"] for ours, trl in pairs)
    keys = ("rows_per_s", "cpu_ms_per_row", "before_mb", "peak_mb", "supervised")
    return {
        "rows": count,
        **{
            side: {key: median(one[key] for one in measured) for key in keys}
            for side, measured in sides.items()
        },
        "ratio": {"median": round(median(ratios), 2), "low": ratios[0], "high": ratios[-1]},
        "rounds": len(ratios),
    }


def write(page: Path, base: str, summary: Sequence[dict[str, Any]]) -> None:
    """Put the figures into the section `Encoding` of `docs/performance.md`."""
    rows = dict[int, list[str]]()
    for found in summary:
        ratio, sides = found["ratio"], [found[side] for side in SIDES]
        spread = f"{ratio['low']:.2f} to {ratio['high']:.2f}, {found['rounds']} rounds"
        rows[found["rows"]] = [
            *(f"{side['rows_per_s']:,.0f}" for side in sides),
            f"{ratio['median']:.2f} ({spread})",
            *(f"{side['peak_mb']:,.0f}" for side in sides),
        ]
    measured_on = f"{base}; {machine(LIBRARIES)}"
    write_section(page, "Encoding", ABOUT, measured_on=measured_on, columns=COLUMNS, rows=rows)


def lines(summary: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield f"{'rows':>7} {'':4} {'rows/s':>8} {'CPU ms/row':>11} {'MB before':>10} {'MB peak':>8}"
    for row in summary:
        for side in SIDES:
            one = row[side]
            yield (
                f"{row['rows']:7} {side:4} {one['rows_per_s']:8.0f} {one['cpu_ms_per_row']:11.3f}"
                f" {one['before_mb']:10.0f} {one['peak_mb']:8.0f}"
            )
        ratio = row["ratio"]
        yield (
            f"{'':7} ours / trl: {ratio['median']:.2f} "
            f"({ratio['low']:.2f} to {ratio['high']:.2f}, {row['rounds']} rounds)"
        )


def shown(summary: Sequence[dict[str, Any]]) -> str:
    """The summary for people."""
    return "\n".join(lines(summary))


if __name__ == "__main__":
    main()
