"""A finished run with every record, written by hand in a second: no model is trained for it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundry.core import atomic, plugins
from foundry.core.blocks import Block
from foundry.core.environment import record
from foundry.core.errors import ProofError
from foundry.core.load import load_recipe
from foundry.core.recipe import Gate
from foundry.core.records import BaseModel, Example, Plan, Turn
from foundry.core.rundir import RunDir
from foundry.delivery.package import ChatFormat, PackageInputs
from foundry.delivery.verify import verify
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.compare import Evidence, Measures, build_report
from foundry.evals.comparison import Roles
from foundry.evals.report.html import write_report
from foundry.store import ledger

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
CHAT = ChatFormat(
    template=TEMPLATE,
    bos_token="<bos>",
    eos_token="<eos>",
    bos_id=2,
    stop_ids=(106, 1),
    stop_tokens=("<end_of_turn>", "<eos>"),
)
BASE = BaseModel(
    name="gemma-3-270m",
    family="gemma3",
    hub_id="google/gemma-3-270m",
    revision=None,
    sha256="a5" * 32,
    licence="gemma",
    folder="/srv/models/gemma-3-270m-a5a5a5a5",
    gguf="/srv/models/gemma-3-270m-a5a5a5a5/base.gguf",
    parameters=268_098_176,
    context=32_768,
)
SETTINGS: dict[str, Any] = {
    "template_sha256": "ab" * 32,
    "system": None,
    "bos_count": 1,
    "first_prompt_ids": [2, 105],
    "prompts_sha256": "cd" * 32,
    "stop_ids": [106],
    "decoding": {"greedy": True},
}


NOTHING_SAID = {"site": None, "attribution": None}


def faults(package: Path) -> str:
    """What `verify` finds in a package, which must be something."""
    with pytest.raises(ProofError) as caught:
        verify(package)
    return str(caught.value)


def make_run(
    folder: Path, *, passes: bool = True, base: BaseModel = BASE, **plan_has: Any
) -> PackageInputs:
    """Write the run's files below `folder`; with `passes` false a gate is missed.

    `plan_has` replaces fields of the plan, such as its licences.
    """
    loaded = load_recipe("retail/customer-service")
    plan = Plan(
        name=loaded.recipe.name,
        fingerprint="0123abcd" * 8,
        foundry_version="0.1.0",
        recipe_path=str(folder / "recipe.yaml"),
        values=loaded.values,
        origins={"name": f"{folder / 'recipe.yaml'}:2:1", "seed": "default"},
        base=base,
        inputs={"data.sources.0.path": "cd" * 32},
        licences=(
            {"of": "base_model", "licence": "gemma", "role": "base", **NOTHING_SAID},
            {
                "of": "customer-service/train.csv",
                "licence": "cc0-1.0",
                "role": "data",
                **NOTHING_SAID,
            },
        ),
        accepted_terms=("gemma",),
        resolved={"device": "cpu"},
        estimate={},
        sovereignty={
            "policy": None,
            "wrote": (),
            "base": {
                "model": "gemma-3-270m",
                "countries": ("US",),
                "organisation": "google",
                "said_by": "catalogue",
            },
        },
    )
    plan = replace(plan, **plan_has)
    run = RunDir(folder / "runs" / plan.run_name)
    exports = [_adapter(run), _gguf(run)]
    files = {
        "plan.json": plan.as_dict(),
        "env.json": record(),
        "data/manifest.json": MANIFEST,
        "data/mask_report.json": MASK,
        "train.json": TRAIN,
        "exports/exports.json": {"items": exports},
    }
    atomic.write_text(run.file("recipe.yaml"), loaded.source_text)
    for name, value in files.items():
        atomic.write_json(run.file(name), value)
    write_report(_report(passes), run.file("evals"))
    for line in LEDGER:
        atomic.add_line(run.path.parent / ledger.NAME, json.dumps({**line, "run": plan.run_name}))
    return PackageInputs(run, plan, CHAT)


MANIFEST = {
    "sources": [
        {
            "path": "customer-service/train.csv",
            "sha256": "ef" * 32,
            "size_bytes": 1000,
            "encoding": "utf-8",
            "rows": 405,
            "licence": "CC0-1.0",
            "declaration": {"basis": "own-work", "by": "AI | Foundry", "purpose": None},
            "format": {"kind": "question-answer", "context": "商品資料"},
        },
        {
            "path": "customer-service/open-book.csv",
            "sha256": "ef" * 32,
            "size_bytes": 1000,
            "encoding": "utf-8",
            "rows": 12,
            "licence": "",
            "declaration": {},
        },
    ],
    "parts": [
        {"name": "train", "file": "data/train.jsonl", "rows": 400, "sha256": "00", "groups": 66},
        {"name": "open-book", "file": "data/o.jsonl", "rows": 12, "sha256": "00", "groups": 12},
    ],
    "rows_in": 405,
    "rows_used": 400,
    "rows_refused": 3,
    "rows_blank": 2,
    "refused_by_code": {"empty": 3},
    "overlap": {},
}
MASK = {
    "rows": 400,
    "tokens": 60_000,
    "supervised_tokens": 6_000,
    "supervised_share": 0.1,
    "assistant_turns": 400,
    "stops_supervised": {"106": 400},
    "samples": ["<bos>問題⟦答案<end_of_turn>⟧"],
}
TRAIN = {
    "adapter": "adapter",
    "steps": 50,
    "epochs": 1.0,
    "first_loss": 3.4,
    "last_loss": 0.0123456,
    "seconds": 160.0,
    "tokens": 60_000,
    "supervised_tokens": 6_000,
    "trainable_parameters": 3_796_992,
    "proof": {"moved": {"tensors": 252, "moved": 252}, "reload": {"largest_difference": 0.0}},
}
# A training that was interrupted and taken up again.
LEDGER = [
    {"session": "a", "outcome": "interrupted", "seconds": 60.25, "steps": 20, "tokens": 24_000},
    {
        "session": "b",
        "outcome": "done",
        "seconds": 100.0,
        "steps": 30,
        "tokens": 36_000,
        "kwh": 0.0012345,
        "kwh_from": "meter",
        "twd": 0.0045,
        "twd_from": "Taipower 2026",
    },
]
PARITY = {
    "runtime": "llama.cpp",
    "tolerance": {"max": 0.6, "mean": 0.06, "greedy": 0.9},
    "texts": 10,
    "texts_with_other_ids": [],
    "prompts": 3,
    "prompts_with_other_ids": [],
    "prefixes": 43,
    "largest_logprob_difference": 0.12,
    "mean_logprob_difference": 0.01,
    "greedy_prompts": 11,
    "greedy_same": 11,
    "stopped": 8,
    "stop_prompts": 8,
    "stop_ids_missing": [],
}


def _adapter(run: RunDir) -> dict[str, Any]:
    from safetensors.numpy import save_file

    folder = run.file("exports", "adapter")
    folder.mkdir(parents=True)
    save_file({"lora_A": np.ones((2, 2), dtype=np.float32)}, folder / "adapter_model.safetensors")
    config = {"base_model_name_or_path": "google/gemma-3-270m", "peft_type": "LORA"}
    atomic.write_json(folder / "adapter_config.json", config)
    words = {"/home": 5, "root": 6, "/root/": 7}  # as real vocabularies have
    tokenizer = {"version": "1.0", "added_tokens": [], "model": {"vocab": words}}
    atomic.write_json(folder / "tokenizer.json", tokenizer)
    return _export(run, folder, "adapter")


def _gguf(run: RunDir) -> dict[str, Any]:
    folder = run.file("exports", "gguf-q8_0")
    folder.mkdir(parents=True)
    write_gguf(folder / "model.gguf")
    return _export(run, folder, "gguf")


def write_gguf(path: Path, **texts: str) -> None:
    """A GGUF file with a vocabulary, one tensor and the given metadata."""
    import gguf

    writer = gguf.GGUFWriter(path, "gemma3")
    for key, text in {"general.name": "shop", **texts}.items():
        writer.add_string(key, text)
    writer.add_array("tokenizer.ggml.tokens", ["<bos>", "/home/wang", "root"])
    writer.add_array("tokenizer.ggml.scores", [0.0, 1.0, 2.0])
    writer.add_uint32("tokenizer.ggml.eot_token_id", 106)
    writer.add_tensor("output_norm.weight", np.ones(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _export(run: RunDir, folder: Path, kind: str) -> dict[str, Any]:
    files = sorted(folder.iterdir())
    return {
        "kind": kind,
        "name": folder.name,
        "path": run.relative(folder),
        "files": {run.relative(path): atomic.sha256(path) for path in files},
        "size_bytes": sum(path.stat().st_size for path in files),
        "parity": PARITY,
    }


def refresh_export(run: RunDir, name: str) -> None:
    """Record an artefact's files anew after a test has put something into one."""
    path = run.file("exports", "exports.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    for item in values["items"]:
        if item["name"] == name:
            item.update(_export(run, run.file("exports", name), item["kind"]))
    atomic.write_json(path, values)


def _report(passes: bool) -> dict[str, Any]:
    items = [Item(_example(n), "open-book") for n in range(12)]
    right = {item.example.id: "保固一年" for item in items}
    wrong = dict.fromkeys(right, "不知道")
    columns = [
        _column("base", {"en": "base, as it is", "zh-TW": "基底"}, wrong),
        _column("tuned", {"en": "tuned", "zh-TW": "微調後"}, right),
        _column("gguf", {"en": "GGUF file", "zh-TW": "GGUF 檔"}, right),
    ]
    evals = [
        Block(kind=kind, spec=plugins.load("evaluator", kind).Spec())
        for kind in ("exact-match", "stop-rate")
    ]
    gate = Gate(metric="exact-match", part="open-book", min=0.9 if passes else 1.0)
    if not passes:
        columns[1] = replace(columns[1], answers={**columns[1].answers, **_wrong_one(items)})
    return build_report(
        items,
        columns,
        measures=Measures(evals, [gate]),
        roles=Roles(base=("base",), tuned="tuned", delivered=("gguf",)),
        evidence=Evidence(
            title={"en": "Retail customer service", "zh-TW": "零售客服問答"},
            part_titles={"open-book": {"en": "From the sheet", "zh-TW": "看資料回答"}},
            curve=[{"step": 1, "loss": 3.4}, {"step": 50, "loss": 0.01}],
        ),
        seed=0,
    )


def _wrong_one(items: list[Item]) -> dict[str, Answer]:
    key = items[0].example.id
    return {key: Answer(key, "不知道", 3, True)}


def _example(number: int) -> Example:
    turns = (Turn("user", f"第 {number} 號保固多久？"), Turn("assistant", "保固一年"))
    return Example(f"q{number}", turns, "open-book.csv", number + 2, f"product-{number}", {})


def _column(name: str, title: dict[str, str], texts: dict[str, str]) -> Column:
    answers = {key: Answer(key, text, 3, True) for key, text in texts.items()}
    return Column(name, title, SETTINGS, answers, 1.0)
