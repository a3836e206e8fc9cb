"""What the report shows to an engineer beside the scores: how this run came about, by hash."""

from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from foundry.core.environment import cores, cpu_name, environment, installed
from foundry.core.records import BaseModel, Export, Plan
from foundry.core.rundir import RunDir
from foundry.core.version import version

STAGES = ("data", "encode", "train", "export")
SHOWN_ELSEWHERE = ("title", "description")
FOLDERS = ("path", "base_model")


# To be raised where a change of ours lets a runtime answer otherwise, since answers that were kept
# are taken over where everything else is the same.
ANSWERS = 1
PACKAGES = ("torch", "transformers", "tokenizers", "xllamacpp", "onnxruntime-genai", "vllm")


def made_by() -> dict[str, Any]:
    """All besides weights and prompts that decides what a model answers: programs, processor."""
    return {
        "foundry": version(),
        "answers": ANSWERS,
        "packages": {name: installed(name) for name in PACKAGES},
        "processor": [cpu_name(), cores()],
    }


def base_identity(base: BaseModel) -> dict[str, Any]:
    """All that decides what the base answers to given prompts."""
    return {"base": base.sha256, "settings": base.settings_sha256, **made_by()}


def run_facts(
    plan: Plan, run: RunDir, results: Mapping[str, Any], exports: Sequence[Export]
) -> dict[str, Any]:
    """Facts by heading.

    Args:
        plan: The run's plan.
        run: The run, for the stamps of its stages.
        results: What the stages before the evaluation returned, by name.
        exports: The artefacts made.
    """
    train = {k: v for k, v in results["train"].items() if k != "proof"}
    mixture = results["data"].get("mixture")
    settings = {k: v for k, v in plan.values.items() if k not in SHOWN_ELSEWHERE}
    return {
        "settings": _without_folders(settings),
        "plan": {
            "fingerprint": plan.fingerprint,
            "base_model": plan.base.shown(),
            "resolved": plan.resolved,
            "accepted_terms": plan.accepted_terms,
            "seed": plan.values["seed"],
        },
        "overlap": results["data"]["overlap"],
        **({"mixture": mixture} if mixture else {}),
        "mask": {k: v for k, v in results["encode"]["mask"].items() if k != "samples"},
        "training": train,
        "proof": results["train"]["proof"],
        "parity": {export.name: export.parity for export in exports},
        "timings": _timings(run),
        "hashes": _hashes(plan, run, results, exports),
        "environment": environment(),
    }


def _timings(run: RunDir) -> dict[str, Any]:
    """Seconds and peak memory of each stage, as its stamp has them."""
    stamps = {stage: run.stamp(stage) for stage in STAGES}
    return {
        stage: {key: stamp[key] for key in ("seconds", "peak_memory_bytes") if key in stamp}
        for stage, stamp in stamps.items()
        if stamp is not None
    }


def _hashes(
    plan: Plan, run: RunDir, results: Mapping[str, Any], exports: Sequence[Export]
) -> dict[str, Any]:
    """SHA-256 of what went in and of what came out."""
    trained = (run.stamp("train") or {}).get("outputs", {})
    return {
        "recipe_and_inputs": plan.fingerprint,
        "base_model": plan.base.sha256,
        "inputs": plan.inputs,
        "encoded_rows": results["encode"]["key"],
        "adapter": {k: v for k, v in trained.items() if k.endswith((".safetensors", ".json"))},
        "exports": {name: digest for export in exports for name, digest in export.files.items()},
    }


def _without_folders(value: Any) -> Any:
    """Paths without their folders, which would name the machine and its user."""
    if isinstance(value, Mapping):
        return {
            key: PureWindowsPath(item).name or item
            if key in FOLDERS and isinstance(item, str)
            else _without_folders(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_without_folders(item) for item in value]
    return value
