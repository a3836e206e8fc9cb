"""What a run or a package hands over, as models to be asked, and the rows it was tested on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.blocks import Block, Plugin
from foundry.core.errors import DataError, Problem, ProofError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel, Example, Turn
from foundry.core.rundir import RunDir
from foundry.data.canaries import is_canary
from foundry.data.prepare import read_examples
from foundry.delivery import package_record
from foundry.encode.ends import ends_of
from foundry.encode.render import render
from foundry.encode.system import led_by
from foundry.encode.tokenize import Encoder, open_encoder
from foundry.evals import subjects
from foundry.evals.answers import Item
from foundry.evals.benchmark import Task, draw
from foundry.evals.comparison import same
from foundry.evals.metrics import that_score
from foundry.evals.subjects import Form, Subject, Tools
from foundry.models.fetch import locate
from foundry.models.tokenizer import load_tokenizer
from foundry.train.adapter_files import load_tuned
from foundry.train.gives import gives_reward

PLAN, MANIFEST = "plan.json", "manifest.json"
LEARNED = ("train", "validation")
LEARNED_ROWS = "train.jsonl"
SAFETENSORS, GGUF, GGUF_ADAPTER = ("merged", "adapter"), "gguf", "gguf-adapter"


@dataclass(frozen=True)
class Piece:
    """One artefact."""

    kind: str
    name: str
    folder: Path


@dataclass(frozen=True)
class HandedOver:
    """A run or a package.

    Args:
        folder: Where it lies.
        pieces: Its artefacts in the recipe's order.
        plan: As `plan.json` has it.
        manifest: Of its data.
        data: Where its test rows lie; None where nobody knows.
        chat: How a package says that its model is spoken to; None for a run.
    """

    folder: Path
    pieces: tuple[Piece, ...]
    plan: Mapping[str, Any]
    manifest: Mapping[str, Any]
    data: Path | None
    chat: package_record.Chat | None

    @property
    def name(self) -> str:
        """What reports call it."""
        return str(self.plan["name"])

    @property
    def values(self) -> Mapping[str, Any]:
        """The recipe with every value filled in."""
        return dict(self.plan["values"])

    def subject(self, piece: Piece, name: str) -> Subject:
        """An artefact as a column.

        Raises:
            ResourceError: Its base model is not on this machine; it is a reward model.
            ProofError: The base model here is another one.
        """
        if gives_reward(str(self.values["train"]["kind"])):
            what = _("it is a reward model, which says how good an answer is and writes none")
            fix = _("its own report says how often it prefers the better answer")
            raise ResourceError(Problem(self.name, what, fix))
        made = self._subject(piece.kind, piece.folder, name)
        rows = None if self.data is None else self.data / LEARNED_ROWS
        if rows is None or not rows.is_file():
            return made
        return replace(made, learned=partial(_learned, rows))

    def _subject(self, kind: str, folder: Path, name: str) -> Subject:
        if kind == GGUF:
            return subjects.of_gguf(name, _gguf(folder), form=self._form())
        base = self._base()
        if kind == "gguf-adapter":
            if base.gguf is None:
                what = _("the base model has no GGUF file for the adapter to be put on")
                raise ResourceError(Problem(base.name, what))
            return subjects.of_gguf(name, Path(base.gguf), lora=_gguf(folder), form=self._form())
        files = sorted(folder.glob("*.safetensors"))
        return subjects.of_folder(
            name,
            base,
            load=lambda: load_tuned(base, folder),
            identity={"trained": [atomic.sha256(path) for path in files]},
            encoder=self._encoder(base),
            stop_ids=self._stop_ids(base),
        )

    def delivered(self, name: str) -> Subject:
        """What is handed over to be run: the GGUF file where there is one, else safetensors."""
        for kind in (GGUF, *SAFETENSORS):
            if piece := self.first(kind):
                return self.subject(piece, name)
        what, fix = _("no export of it can be run"), _("add `- kind: gguf` under `exports`")
        raise ResourceError(Problem(str(self.folder), what, fix))

    def first(self, *kinds: str) -> Piece | None:
        """The first artefact of one of these kinds."""
        return next((piece for piece in self.pieces if piece.kind in kinds), None)

    def _base(self) -> BaseModel:
        told = self.plan["base"]
        hub = told["hub_id"] if told["revision"] is None else f"{told['hub_id']}@{told['revision']}"
        given = told.get("folder") or ""
        wanted = given if given and Path(given).is_dir() else told["name"]
        try:
            base = locate(wanted, Path())
        except ResourceError:
            if told["hub_id"] is None:
                raise
            base = locate(hub, Path())
        if base.sha256 != told["sha256"]:
            what = _("the base model here has other weights than the one that was trained on")
            raise ProofError(Problem(wanted, what, _("fetch it again")))
        return base

    def _form(self) -> Form:
        if self.chat is None:
            base = self._base()
            encoder = self._encoder(base)
            return Form(
                encoder.template,
                partial(encoder.render, add_generation_prompt=True),
                self._stop_ids(base),
            )
        chat = self.chat
        template = (self.folder / chat.template).read_text(encoding="utf-8")

        def rendered(turns: Sequence[Turn], tools: Tools = ()) -> str:
            return render(
                led_by(turns, chat.system),
                template,
                bos_token=chat.bos_token,
                eos_token=chat.eos_token,
                add_generation_prompt=True,
                tools=tools,
            )

        return Form(template, rendered, chat.stop_ids)

    def _encoder(self, base: BaseModel) -> Encoder:
        system = self.values["encode"]["system"]
        made = open_encoder(base, system)
        if self.chat is not None and made.template_sha256 != self.chat.template_sha256:
            what = _("the base model's chat template is not the one that was trained")
            raise ProofError(Problem(base.name, what, _("fetch it again")))
        return made

    def _stop_ids(self, base: BaseModel) -> tuple[int, ...]:
        if self.chat is not None:
            return tuple(self.chat.stop_ids)
        stamp = RunDir(self.folder).stamp("encode") or {"result": {"stop_ids": []}}
        return ends_of(base, stamp["result"]["stop_ids"], load_tokenizer(base).eos_token_id)


def find(folder: Path) -> HandedOver | None:
    """The package or run that a folder is; None where it is neither."""
    if (folder / package_record.NAME).is_file():
        return _of_package(folder)
    if (folder / PLAN).is_file():
        return _of_run(folder)
    return None


def find_piece(folder: Path) -> tuple[HandedOver, Piece] | None:
    """The artefact of a package or run that a folder is; None where it is none."""
    for owner in (folder.parent, folder.parent.parent):
        found = find(owner)
        for piece in () if found is None else found.pieces:
            if found is not None and piece.folder.resolve() == folder.resolve():
                return found, piece
    return None


def _of_run(folder: Path) -> HandedOver:
    path = folder / "exports" / "exports.json"
    listed = _json(path)["items"] if path.is_file() else []
    if not listed and (folder / "adapter").is_dir():
        listed = [{"kind": "adapter", "name": "adapter", "path": "adapter"}]
    pieces = tuple(Piece(item["kind"], item["name"], folder / item["path"]) for item in listed)
    manifest = _json(folder / "data" / MANIFEST)
    return HandedOver(folder, pieces, _json(folder / PLAN), manifest, folder / "data", None)


def _of_package(folder: Path) -> HandedOver:
    record = package_record.read(folder)
    evidence, run = folder / "foundry", folder.parent
    plan = _json(evidence / PLAN)
    in_run = (run / PLAN).is_file() and _json(run / PLAN)["fingerprint"] == plan["fingerprint"]
    return HandedOver(
        folder=folder,
        pieces=tuple(Piece(e.kind, e.name, folder / e.path) for e in record.exports),
        plan=_json(run / PLAN) if in_run else plan,
        manifest=_json(evidence / MANIFEST),
        data=run / "data" if in_run else None,
        chat=record.chat,
    )


def tests_of(found: HandedOver, data: Path | None, *, limit: int | None, seed: int) -> Task:
    """The recipe's own test rows as a task, asked in the form of the training.

    Evaluators that none of the rows is for are left out, such as `controls`, a task of its own.

    Args:
        found: The run or package.
        data: The run's `data` folder, for a package that lies elsewhere.
        limit: Ask only so many, drawn with `seed`.
        seed: For the draw.

    Raises:
        ResourceError: The rows are not on this machine.
        DataError: They are not those of the run; or there are none.
    """
    items = test_items(found, data)
    drawn = sorted(items, key=lambda item: draw(seed, item.example.id))[:limit]
    chosen = {item.example.id for item in drawn}
    values = found.values
    evals = that_score([_block(entry) for entry in values["evals"]], drawn)
    kinds = [block.kind for block in evals]
    said = [entry for entry in values["evals"] if entry["kind"] in kinds]
    if not evals:
        what = _("the recipe measures nothing: it has no test rows, or no `evals`")
        fix = _("give a benchmark with `--tasks`")
        raise DataError(Problem(str(found.folder), what, fix))
    return Task(
        name="tests",
        title=values["title"],
        method="generate",
        form="chat",
        items=tuple(item for item in items if item.example.id in chosen),
        evals=evals,
        text=_no_text,
        turns=partial(with_system, system=values["encode"]["system"]),
        template="",
        said={"name": found.name, "version": found.plan["fingerprint"], "evals": said},
        system=values["encode"]["system"],
        max_new_tokens=values["evaluation"]["max_new_tokens"],
    )


def test_items(found: HandedOver, data: Path | None) -> list[Item]:
    """The rows of every test part.

    Args:
        found: The run or package.
        data: The run's `data` folder, for a package that lies elsewhere.

    Raises:
        ResourceError: The rows are not on this machine.
        DataError: They are not those of the run.
    """
    folder = data or found.data
    if folder is None:
        what = _("the rows it was tested on are not in a package")
        fix = _("give the run's folder, or its `data` folder as `--data`")
        raise ResourceError(Problem(str(found.folder), what, fix))
    return [item for part in found.manifest["parts"] for item in _part(folder, part)]


def part_titles(found: HandedOver) -> dict[str, Mapping[str, str]]:
    """The titles that the recipe gives its test parts."""
    tests = found.values["data"]["tests"]
    return {test["name"]: test.get("title") or same(test["name"]) for test in tests}


def _part(folder: Path, part: Mapping[str, Any]) -> list[Item]:
    if part["name"] in LEARNED:
        return []
    path = folder / Path(part["file"]).name
    if not path.is_file():
        what, fix = _("no such file"), _("give the run's `data` folder as `--data`")
        raise ResourceError(Problem(str(path), what, fix))
    if atomic.sha256(path) != part["sha256"]:
        raise DataError(Problem(str(path), _("not the rows that the model was tested on")))
    return [Item(example, part["name"]) for example in read_examples(path)]


def _learned(path: Path) -> list[Example]:
    """The training rows of a run, without what was planted among them."""
    return [row for row in read_examples(path) if not is_canary(row)]


def _no_text(example: Example) -> str:
    return ""


def with_system(example: Example, *, system: str | None) -> Sequence[Turn]:
    """The turns before the answer, if there are any, led by the recipe's system text."""
    return led_by(example.prompt, system) if example.prompt else ()


def _block(entry: Mapping[str, Any]) -> Block:
    return Plugin("evaluator").read(entry)  # type: ignore[no-any-return]


def _gguf(folder: Path) -> Path:
    return next(iter(sorted(folder.glob("*.gguf"))))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
