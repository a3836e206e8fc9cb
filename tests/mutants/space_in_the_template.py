"""The template that is handed over is not the one that was trained (C37)."""

from pathlib import Path
from typing import Any

from foundry.delivery import gguf_files, hf_files
from tests.mutants.mutant import Mutant, Patch

fields, write_tokenizer = gguf_files._metadata, hf_files.write_tokenizer
KEY = "tokenizer.chat_template"


def spaced(template: str) -> str:
    """One space before the answer."""
    return template.replace("assistant<|end_header_id|>", "assistant<|end_header_id|> ")


def spaced_where_no_prompt_goes(template: str) -> str:
    """One space in a branch that only a conversation with tools takes."""
    return template + "{% if tools %} {% endif %}"


def gguf_with(change: Any) -> Any:
    def metadata(*arguments: Any) -> Any:
        made = fields(*arguments)
        text, kind = made[KEY]
        return made | {KEY: (change(text), kind)}

    return lambda patch: patch.setattr(gguf_files, "_metadata", metadata)


def folder_with(change: Any) -> Any:
    def write(tuned: Any, folder: Path) -> None:
        write_tokenizer(tuned, folder)
        path = folder / hf_files.TEMPLATE
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def apply(patch: Patch) -> None:
        patch.setattr(hf_files, "write_tokenizer", write)

    return apply


PROMPTS, TEXT = "the template in the file makes other prompts", "the file has another template"
MUTANTS = (
    Mutant("a space in the GGUF", gguf_with(spaced), "export", "export.gguf-q8_0", PROMPTS),
    Mutant("a space in the folder", folder_with(spaced), "export", "export.adapter", PROMPTS),
    Mutant(
        "a hidden space in the GGUF",
        gguf_with(spaced_where_no_prompt_goes),
        "export",
        "export.gguf-q8_0",
        TEXT,
    ),
    Mutant(
        "a hidden space in the folder",
        folder_with(spaced_where_no_prompt_goes),
        "export",
        "export.adapter",
        TEXT,
    ),
)
