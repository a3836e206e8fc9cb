"""What `foundry train --json` prints: where everything is, what it cost, and the proofs."""

from typing import TYPE_CHECKING, Any

from foundry.data.telling import summary

if TYPE_CHECKING:
    from foundry.stages.walk import Walk


def document(way: "Walk") -> dict[str, Any]:
    """The results of the stages that were walked, as one JSON document."""
    results = way.results
    made = {
        "run": str(way.run.path),
        "fingerprint": way.plan.fingerprint,
        "skipped": way.skipped,
        "plan": {"base_model": way.plan.base.name, "accepted_terms": way.plan.accepted_terms},
        "stages": {stage: _cost(way, stage) for stage in results},
    }
    if "data" in results:
        made["data"] = summary(results["data"])
    if "encode" in results:
        made["mask"] = results["encode"]["mask"]
    if "train" in results:
        made["proof"] = results["train"]["proof"]
    if "export" in results:
        made["parity"] = {e["name"]: e["parity"] for e in results["export"]["items"]}
    if "evaluate" in results:
        made["evaluation"] = results["evaluate"]
    if results.get("package"):
        made["package"] = str(way.run.file(results["package"]["path"]))
    return made


def _cost(way: "Walk", stage: str) -> dict[str, Any]:
    """Seconds a stage took, and the most memory the process that ran it had held by its end."""
    stamp = way.run.stamp(stage) or {}
    return {key: stamp.get(key) for key in ("seconds", "peak_memory_bytes")}
