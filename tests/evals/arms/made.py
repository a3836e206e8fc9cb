"""Finished runs with made-up answers, written and scored by the product's own functions."""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.blocks import Plugin
from foundry.core.records import Example, Turn
from foundry.core.rundir import RunDir
from foundry.evals.answers import Answer, Column, Item, resume_answers
from foundry.evals.brought import brought_by
from foundry.evals.compare import Evidence, Measures, build_report
from foundry.evals.comparison import Roles
from foundry.evals.report.html import write_report

EVALS = ({"kind": "exact-match"}, {"kind": "stop-rate"})
SETTINGS = {
    "template_sha256": "aa",
    "system": None,
    "bos_count": 1,
    "first_prompt_ids": [2, 105],
    "prompts_sha256": "cc",
    "stop_ids": [1],
    "decoding": {"greedy": True, "max_new_tokens": 64, "stop_strings": []},
}
Says = Callable[[Item], str]


def items(count: int = 200, part: str = "test") -> list[Item]:
    """Questions in groups of two."""
    return [
        Item(
            Example(
                f"{part}{n:03}",
                (Turn("user", f"第{n}題？"), Turn("assistant", f"答{n}。")),
                "shop.csv",
                n + 2,
                f"g{n // 2}",
            ),
            part,
        )
        for n in range(count)
    ]


def right(share: float, seed: int) -> Says:
    """A model that gets a random share right."""
    draw = random.Random(seed)
    luck: dict[str, bool] = {}

    def says(item: Item) -> str:
        good = luck.setdefault(item.example.id, draw.random() < share)
        return item.example.answer if good else "不知道。"

    return says


@dataclass(frozen=True)
class Made:
    """What is special of a run."""

    seed: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tokens: Sequence[int] = (100, 210, 300)
    train_sha256: str = "dd"
    seconds: float = 30.0
    size_bytes: int = 1000
    memory_bytes: int = 1 << 30
    parameters: int = 5000
    evals: Sequence[Mapping[str, Any]] = EVALS
    rows: Sequence[Example] = ()
    encoding: str = "ee"
    python: str = "3.11"


def make_run(
    runs: Path, name: str, says: Says, made: Made = Made(), asked: Sequence[Item] | None = None
) -> RunDir:
    """A run that was trained and evaluated."""
    run, asked = RunDir(runs / name), items() if asked is None else asked
    values = {"seed": made.seed, "evals": made.evals, "adapter": {"kind": "lora", "rank": 8}}
    train = {"kind": "sft", "global_batch_size": 8}
    plan = {"values": {**values, "train": train, **made.values}, "base": {"sha256": "bb"}}
    atomic.write_json(run.file("plan.json"), {"fingerprint": name, "inputs": {}, **plan})
    atomic.write_json(run.file("env.json"), {"python": made.python})
    finish(run, "data", {"parts": _parts(run, made, asked)}, [run.file("data")])
    finish(run, "encode", {"key": made.encoding})
    _train(run, made)
    _evaluate(run, made, says, asked)
    return run


def finish(
    run: RunDir, stage: str, result: Mapping[str, Any], outputs: Sequence[Path] = ()
) -> None:
    """Stamp a stage."""
    run.finish(stage, "inputs", result, list(outputs), time.monotonic())


def _parts(run: RunDir, made: Made, asked: Sequence[Item]) -> list[dict[str, Any]]:
    parts = [{"name": "train", "file": "data/train.jsonl", "rows": 1, "sha256": made.train_sha256}]
    rows = (json.dumps(row.as_dict(), ensure_ascii=False) + "\n" for row in made.rows)
    atomic.write_text(run.file("data", "train.jsonl"), "".join(rows))
    for part in dict.fromkeys(item.part for item in asked):
        own = [item.example.as_dict() for item in asked if item.part == part]
        file = run.file("data", f"{part}.jsonl")
        lines = (json.dumps(one, ensure_ascii=False) + "\n" for one in own)
        atomic.write_text(file, "".join(lines))
        name, digest = f"data/{part}.jsonl", atomic.sha256(file)
        parts.append({"name": part, "file": name, "rows": len(own), "sha256": digest})
    return parts


def _train(run: RunDir, made: Made) -> None:
    lines = [{"step": n, "loss": 1.0, "tokens": t} for n, t in enumerate(made.tokens, start=1)]
    atomic.write_text(run.file("metrics.jsonl"), "".join(json.dumps(x) + "\n" for x in lines))
    atomic.write_bytes(run.file("adapter", "adapter.safetensors"), b"x" * made.size_bytes)
    result = {
        "adapter": "adapter",
        "steps": len(made.tokens),
        "tokens": made.tokens[-1],
        "seconds": made.seconds,
        "trainable_parameters": made.parameters,
        "last_loss": 1.0,
        "forecast": {"measured": {"peak_memory_bytes": made.memory_bytes}},
    }
    finish(run, "train", result, [run.file("adapter")])


def _evaluate(run: RunDir, made: Made, says: Says, asked: Sequence[Item]) -> None:
    settings = {**SETTINGS, **made.settings}
    blocks = [Plugin("evaluator").read(block) for block in made.evals]
    questions = {"": asked, **{f".{one.kind}": one.items for one in brought_by(blocks, made.rows)}}
    columns = []
    for name, say in (("base", lambda item: "不知道。"), ("tuned", says)):
        answers: dict[str, Answer] = {}
        for kind, own in questions.items():
            said = [Answer(i.example.id, say(i), tokens=3, stopped=True) for i in own]
            file = run.file("evals", "answers", f"{name}{kind}.jsonl")
            resume_answers(file, "made from")
            atomic.write_text(file, file.read_text("utf-8") + "".join(map(_line, said)))
            answers |= {answer.item_id: answer for answer in said}
        columns.append(Column(name, {"en": name, "zh-TW": name}, settings, answers, 5.0))
    report = build_report(
        [item for own in questions.values() for item in own],
        columns,
        measures=Measures(blocks),
        roles=Roles(base=("base",), tuned="tuned"),
        evidence=Evidence({"en": "Shop", "zh-TW": "商店"}),
        seed=made.seed,
    )
    write_report(report, run.file("evals"))
    finish(run, "evaluate", {"json_file": "evals/report.json"}, [run.file("evals")])


def _line(answer: Answer) -> str:
    return json.dumps(answer.__dict__, ensure_ascii=False) + "\n"
