"""A number on a card is from nowhere, or its evidence is another than the one it was drawn from."""

from collections.abc import Mapping

from foundry.delivery import card, package
from tests.mutants.mutant import Mutant

documents = package.documents


def with_other_evidence(texts: Mapping[str, str], *, quantized_base: bool) -> dict[str, str]:
    made = documents(texts, quantized_base=quantized_base)
    return {**made, "foundry/train.json": "{}"}


MUTANTS = (
    Mutant(
        "a score is written by hand",
        lambda patch: patch.setattr(card, "_with_interval", lambda found, rule: "99.9"),
        "package",
        "README.md",
        "a number without evidence",
    ),
    Mutant(
        "the evidence is written anew",
        lambda patch: patch.setattr(package, "documents", with_other_evidence),
        "package",
        "foundry/train.json: $.steps",
        "rests on this value, which is not there",
    ),
)
