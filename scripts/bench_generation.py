"""Answers per second: our runtime one by one and in batches, and transformers' own `generate`.

    python scripts/bench_generation.py [--base NAME] [--prompts 64] [--rounds 5] [--json] [--write]

The prompts are questions of the shop's recipe in the base's chat template. A base does not know
when to end there, so that nearly each answer has all of its 40 tokens. Each measurement is a
process of its own, and the sides alternate; one batch before it warms up. How many answers have
the same tokens as one by one is part of the result: where a model hesitates between two tokens,
the last digit decides, and that depends on who shares the batch. `--write` puts the figures into
`docs/performance.md`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Run as a file, Python looks for modules beside it; what is measured is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.performance import PAGE, machine, put_section, ranged, spread

BASES = ("smollm2-135m", "gemma-3-270m")
PLAIN, ALONE = "transformers, one by one", "ours, one by one"
SIDES = {PLAIN: 1, ALONE: 1, "ours, batches of 8": 8, "ours, batches of 32": 32}
MAX_NEW_TOKENS = 40
LIBRARIES = ("torch", "transformers")
ABOUT = (
    "Tokens generated per second, greedily, by the bases as evaluation asks them: questions of the "
    f"shop's recipe, {MAX_NEW_TOKENS} tokens at most, float32, batches padded on the left. Medians "
    "with their range; ratios of neighbouring measurements. *Equal*: answers with the same tokens "
    "as one by one. `python scripts/bench_generation.py --write`."
)
COLUMNS = ("base, side", "tokens/s", "÷ ours, one by one", "equal", "n")
Result = dict[str, Any]


def main() -> None:
    """Run every round, or, when called by itself with `--side`, one measurement."""
    options = parse()
    if options.side:
        Path(options.out).write_text(json.dumps(measured(options)), encoding="utf-8")
        return
    summary = {base: summarise(in_turns(base, options)) for base in options.base or BASES}
    print(json.dumps(summary, indent=2) if options.json else "\n".join(table(summary)))
    if options.write is not None:
        put_section(options.write, "Generation", section(summary, options.prompts))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast a model answers.")
    parser.add_argument("--base", action="append", help="may be repeated; default: both")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, help="put the figures into this page"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_turns(base: str, options: argparse.Namespace) -> list[Result]:
    """Every side in turn, so many rounds, each in a fresh process."""
    found = list[Result]()
    for number in range(options.rounds):
        for side in SIDES:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder, "result.json")
                command = [sys.executable, __file__, "--base", base, "--side", side]
                command += ["--prompts", str(options.prompts), "--out", str(out)]
                subprocess.run(command, check=True, stdout=sys.stderr)
                found.append({"side": side, **json.loads(out.read_text(encoding="utf-8"))})
            rate = found[-1]["tokens_per_s"]
            print(f"{base}, {side}, {number + 1}: {rate:.1f} tokens/s", file=sys.stderr)
    return found


def measured(options: argparse.Namespace) -> Result:
    """One measurement: tokens per second, and the tokens."""
    from foundry.models.fetch import locate
    from foundry.models.load import load_model
    from foundry.models.quiet import quiet
    from foundry.models.tokenizer import load_tokenizer
    from foundry.runtime.contract import Decoding
    from foundry.runtime.transformers import TransformersRuntime

    base = locate(options.base[0], Path.cwd())
    prompts, stop_ids = asked(base, options.prompts)
    model, batch_size = load_model(base), SIDES[options.side]
    runtime = TransformersRuntime(model, load_tokenizer(base), batch_size=batch_size)

    def answers(some: Sequence[Sequence[int]]) -> list[list[int]]:
        if options.side == PLAIN:
            with quiet():
                return [plain(model, prompt, stop_ids) for prompt in some]
        made = runtime.generate(some, Decoding(MAX_NEW_TOKENS, tuple(stop_ids)))
        return [list(answer.ids) for answer in made]

    answers(prompts[:batch_size])
    started = time.monotonic()
    ids = answers(prompts)
    seconds = time.monotonic() - started
    return {"ids": ids, "tokens_per_s": sum(map(len, ids)) / seconds}


def asked(base: Any, count: int) -> tuple[list[list[int]], Sequence[int]]:
    """The ids of so many questions, and those that end an answer."""
    from foundry.core.load import load_recipe
    from foundry.data.prepare import prepare, read_examples
    from foundry.evals.subjects import of_folder

    loaded = load_recipe("retail/customer-service")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "data")
        manifest = prepare(loaded.recipe.data, folder=loaded.path.parent, out=out)
        examples = list(read_examples(out.parent / manifest.part("train").file))[:count]
    with of_folder(base.name, base).speaking() as speech:
        return [speech.chat(example.messages[:-1]) for example in examples], speech.stop_ids


def plain(model: Any, prompt: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    """What transformers' own `generate` answers to one prompt."""
    import torch

    ids_1T = torch.tensor([list(prompt)])
    with torch.no_grad():
        out_1T = model.generate(
            input_ids=ids_1T,
            attention_mask=torch.ones_like(ids_1T),
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            eos_token_id=list(stop_ids),
            pad_token_id=stop_ids[0],
        )
    made: list[int] = out_1T[0, len(prompt) :].tolist()
    return made


def summarise(results: Sequence[Result]) -> dict[str, Result]:
    """By side: tokens per second, their ratio to ours one by one, and how many answers are equal.

    Raises:
        ValueError: A side's answers are not the same in each round.
    """
    sides = {side: [one for one in results if one["side"] == side] for side in SIDES}
    for side, runs in sides.items():
        if any(run["ids"] != runs[0]["ids"] for run in runs):
            raise ValueError(f"{side}: other answers in another round")
    alone = sides[ALONE]
    return {
        side: {
            "tokens_per_s": spread([run["tokens_per_s"] for run in runs]),
            "ratio": spread(
                [
                    run["tokens_per_s"] / other["tokens_per_s"]
                    for run, other in zip(runs, alone, strict=True)
                ]
            ),
            "equal": sum(a == b for a, b in zip(runs[0]["ids"], alone[0]["ids"], strict=True)),
            "answers": len(alone[0]["ids"]),
            "n": len(runs),
        }
        for side, runs in sides.items()
    }


def table(summary: dict[str, dict[str, Result]]) -> list[str]:
    """The summary in Markdown."""
    rows = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1))]
    for base, sides in summary.items():
        for side, found in sides.items():
            rate, equal = found["tokens_per_s"], f"{found['equal']} of {found['answers']}"
            ratio = "–" if side == ALONE else ranged(found["ratio"], ".2f")
            rows.append((f"{base}, {side}", ranged(rate, ".1f"), ratio, equal, str(found["n"])))
    return [f"| {' | '.join(cells)} |" for cells in rows]


def section(summary: dict[str, dict[str, Result]], prompts: int) -> str:
    measured_on = f"{machine(LIBRARIES)}; {prompts} prompts"
    return "\n".join([ABOUT, "", measured_on, "", *table(summary)])


if __name__ == "__main__":
    main()
