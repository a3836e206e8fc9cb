"""The end that was trained is not declared; the base's own still is (C36, C80)."""

from pathlib import Path

from foundry.core import atomic
from foundry.delivery import gguf_files, hf_files
from foundry.delivery.artefact import Tuned
from foundry.encode import ends
from tests.mutants.mutant import Mutant, Patch


def of_the_base(tuned: Tuned, folder: Path) -> None:
    atomic.write_json(folder / hf_files.GENERATION_CONFIG, hf_files.generation_config(tuned))


def fields_of_the_base(stop_ids: tuple[int, ...]) -> dict[str, int]:
    return {"tokenizer.ggml.eos_token_id": stop_ids[-1]}


def in_the_folder(patch: Patch) -> None:
    patch.setattr(hf_files, "write_stop_ids", of_the_base)


def in_the_gguf(patch: Patch) -> None:
    patch.setattr(gguf_files, "stop_fields", fields_of_the_base)


def everywhere(patch: Patch) -> None:
    patch.setattr(ends, "all_stop_ids", lambda _trained, _declared, eos: (eos,))


MISSING = "stop ids are missing in the file"
MUTANTS = (
    Mutant("the folder lists the base's end", in_the_folder, "export", "export.adapter", MISSING),
    Mutant("the GGUF lists the base's end", in_the_gguf, "export", "export.gguf-q8_0", MISSING),
    Mutant(
        "the trained end is forgotten",
        everywhere,
        "export",
        "export.gguf-q8_0",
        MISSING,
    ),
)
