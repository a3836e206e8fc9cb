"""A tiny recipe with data and base model in a folder of its own, and ways to run it."""

import json
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from foundry.cli.main import main
from foundry.core.errors import FoundryError
from foundry.core.rundir import RunDir
from tests import tiny

TOKEN = "hf_TESTTOKEN0123456789ABCDEFGHIJKLMN"
ACCEPT = ("--accept-terms", "unknown")
# Two answers of different length, so that two layers learn them in a second.
ROWS = [("售價", "三百元。"), ("保固", "一年，謝謝。")]
NUMBERS = range(7)
RECIPE: Mapping[str, Any] = {
    "schema_version": 1,
    "name": "tiny",
    "title": {"zh-TW": "小", "en": "Tiny"},
    "base_model": "base",
    "purpose": "research",
    "data": {
        "sources": [
            {
                "path": "rows.csv",
                "licence": "CC0-1.0",
                "declaration": {"basis": "own-work", "by": "a test"},
            }
        ],
        "format": {"kind": "question-answer", "question": "問題", "answer": "回答"},
        "split": {"test": 0.2},
    },
    "encode": {"max_seq_len": 64},
    "adapter": {"kind": "lora", "rank": 8, "alpha": 64},
    "train": {
        "kind": "sft",
        "max_steps": 32,
        "learning_rate": 1e-2,
        "global_batch_size": 6,
        "micro_batch_size": 3,
        "checkpoint_every": 8,
    },
    "exports": [{"kind": "gguf"}, {"kind": "gguf-adapter"}, {"kind": "adapter"}],
    "evals": [{"kind": "exact-match"}, {"kind": "stop-rate"}],
    "evaluation": {"few_shot": 1, "max_new_tokens": 16},
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed."""
        return dict(json.loads(self.out))


@dataclass(frozen=True)
class TinyRecipe:
    """A folder with `recipe.yaml`, `rows.csv`, `base/` and, after a run, `runs/`."""

    folder: Path

    @property
    def file(self) -> Path:
        """The recipe."""
        return self.folder / "recipe.yaml"

    @property
    def runs(self) -> Path:
        """The folder of run directories."""
        return self.folder / "runs"

    @property
    def run(self) -> RunDir:
        """The only run there is."""
        (path,) = (path for path in self.runs.iterdir() if path.is_dir())
        return RunDir(path)

    @property
    def package(self) -> Path:
        """The package of the only run."""
        return self.run.file("package")

    def arguments(self, *options: str) -> list[str]:
        """The command line that trains the recipe."""
        return ["train", str(self.file), "--runs", str(self.runs), *ACCEPT, *options]

    def train(self, *options: str) -> Outcome:
        """Run `foundry train` on the recipe in this process."""
        return call(*self.arguments(*options))

    def losses(self) -> list[float]:
        """The loss of each step, as `metrics.jsonl` holds it."""
        lines = self.run.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["loss"] for line in lines]

    def copy(self, folder: Path) -> "TinyRecipe":
        """The same with all its runs in another folder."""
        shutil.copytree(self.folder, folder)
        return TinyRecipe(folder)


def call(*arguments: str, may_crash: bool = False) -> Outcome:
    """Run a command line in this process.

    Raises:
        RuntimeError: The command crashed, which no check may take for a refusal.
    """
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    if code == FoundryError.exit_code and not may_crash:
        raise RuntimeError(f"{arguments}: {err.getvalue()}{out.getvalue()}")
    return Outcome(code, out.getvalue(), err.getvalue())


def lay_out(folder: Path, base: Path, **overrides: Any) -> TinyRecipe:
    """Write recipe, rows and base model; `overrides` replace top-level keys of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(base, folder / "base")
    lines = ["問題,回答", *(f"{word}{n}？,{answer}" for n in NUMBERS for word, answer in ROWS)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = TinyRecipe(folder)
    text = json.dumps({**RECIPE, **overrides}, ensure_ascii=False)
    made.file.write_text(text, encoding="utf-8")
    return made


def build_base(folder: Path, family: str = "llama") -> Path:
    """A tiny model with a GGUF file of its own weights."""
    return with_gguf(tiny.build(folder, family))


def with_gguf(folder: Path) -> Path:
    """Beside a model, the GGUF file of its weights."""
    from foundry.delivery.artefact import Tuned
    from foundry.delivery.gguf_files import write_model
    from foundry.encode.tokenize import open_encoder
    from foundry.models.fetch import GGUF_NAME, locate
    from foundry.models.load import load_model

    base = locate(folder.name, folder.parent)
    encoder = open_encoder(base)
    alone = Tuned(base, folder, encoder, (encoder.tokenizer.eos_token_id,), "Tiny base")
    write_model(alone, load_model(base), folder / GGUF_NAME, quantization="f16")
    return folder
