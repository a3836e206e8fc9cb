"""A record keeps the access token of whoever ran it (C78)."""

from typing import Any

from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.delivery import package
from tests.mutants.mutant import Mutant

evidence_texts = package._evidence_texts


def with_token(run: RunDir, plan: Plan, exports: list[dict[str, Any]]) -> dict[str, str]:
    texts = evidence_texts(run, plan, exports)
    name = "foundry/env.json"
    return {**texts, name: '{"HF_TOKEN": "hf_TESTTOKEN0123456789", ' + texts[name].lstrip("{ \n")}


MUTANTS = (
    Mutant(
        "the environment is recorded with its secrets",
        lambda patch: patch.setattr(package, "_evidence_texts", with_token),
        "package",
        "foundry/env.json",
        "holds what looks like an access token (line 1, column 15)",
    ),
)
