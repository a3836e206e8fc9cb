"""The artefacts of a trained tiny model, each made and proven at its first use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.core.events import Events
from foundry.core.records import Export
from foundry.core.rundir import RunDir
from foundry.delivery.artefact import Tuned
from foundry.delivery.export import export
from tests.tiny_run import Trained

KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "adapter": ("adapter", {}),
    "merged-float32": ("merged", {"dtype": "float32"}),
    "merged-bfloat16": ("merged", {"dtype": "bfloat16"}),
    "gguf-f16": ("gguf", {"quantization": "f16"}),
    "gguf-q8_0": ("gguf", {"quantization": "q8_0"}),
    "gguf-adapter-f32": ("gguf-adapter", {"dtype": "f32"}),
    "gguf-adapter-f16": ("gguf-adapter", {"dtype": "f16"}),
}
MERGED_GGUF = ("gguf-f16", "gguf-q8_0")
MERGED_FOLDERS = ("merged-float32", "merged-bfloat16")
FOLDERS = ("adapter", *MERGED_FOLDERS)


def spec(name: str) -> Any:
    """The settings of an artefact."""
    kind, options = KINDS[name]
    return plugins.load("exporter", kind).Spec(**options)


@dataclass
class Shelf:
    """`trained` stands on a base without a GGUF file, `on_gguf` on the same with one."""

    trained: Trained
    on_gguf: Tuned

    @property
    def tuned(self) -> Tuned:
        """The trained model; the metadata of its GGUF files are computed."""
        return self.trained.tuned

    def make(self, name: str, *, tuned: Tuned | None = None, run: RunDir | None = None) -> Export:
        """Export and prove an artefact, of another model or to another run if given."""
        default = self.on_gguf if KINDS[name][0] == "gguf-adapter" else self.tuned
        return export(
            tuned or default,
            self.trained.live,
            KINDS[name][0],
            spec(name),
            run=run or self.trained.run,
            events=Events([]),
        )

    def folder(self, name: str) -> Path:
        """Where the artefact lies, made if it does not yet."""
        path = self.trained.run.file("exports", name)
        if not path.exists():
            self.make(name)
        return path
