"""A tensor of the GGUF file is not the merged model's (C30, C34)."""

from pathlib import Path
from typing import Any

from foundry.delivery import gguf_files
from foundry.models.families import llama
from foundry.models.load import load_model
from tests.mutants.mutant import Mutant, Patch

write = gguf_files.write_model


def altered(tuned: Any, model: Any, path: Path, **options: Any) -> None:
    """One element of one row of a quantised tensor is off by its largest step."""
    import gguf

    write(tuned, model, path, **options)
    tensor = next(t for t in gguf.GGUFReader(path, "r+").tensors if t.name == "blk.1.ffn_up.weight")
    tensor.data[3, 7] ^= 0x40
    tensor.data.base.flush()


def of_the_base(tuned: Any, model: Any, path: Path, **options: Any) -> None:
    write(tuned, load_model(tuned.base), path, **options)


def in_one_element(patch: Patch) -> None:
    patch.setattr(gguf_files, "write_model", altered)


def in_every_tensor(patch: Patch) -> None:
    patch.setattr(gguf_files, "write_model", of_the_base)


def in_the_order_of_rows(patch: Patch) -> None:
    patch.setattr(llama, "to_gguf", lambda _name, weight, _config: weight)


DIFFER = "tensors differ from the merged weights"
MUTANTS = (
    Mutant("one element is altered", in_one_element, "export", "export.gguf-q8_0", DIFFER),
    Mutant("the base is written", in_every_tensor, "export", "export.gguf-q8_0", DIFFER),
    Mutant(
        "rows are not put in llama.cpp's order",
        in_the_order_of_rows,
        "export",
        "export.gguf-q8_0",
        "log-probabilities of the next token differ",
    ),
)
