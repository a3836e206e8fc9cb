"""`foundry eval`: which models a person names, and what they are asked."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundry.core import atomic
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery import handed_over, own_rows
from foundry.delivery.handed_over import GGUF, GGUF_ADAPTER, SAFETENSORS, HandedOver
from foundry.delivery.locate import named_package
from foundry.evals import harness, subjects
from foundry.evals.benchmark import Task, Wanted, load_task, needs_data, own_task
from foundry.evals.benchmarking import Bench, evaluate
from foundry.evals.comparison import Roles
from foundry.evals.harness import HarnessTask
from foundry.evals.subjects import Subject
from foundry.models.fetch import locate
from foundry.runtime.onnx import is_onnx

NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Order:
    """Who is asked what; `roles` is None where the models are peers."""

    subjects: tuple[Subject, ...]
    tasks: tuple[Task | HarnessTask, ...]
    roles: Roles | None = None
    handed: HandedOver | None = None

    @property
    def fingerprint(self) -> str:
        """Of the models and of what they are asked."""
        asked = [
            [t.name, t.form, dict(t.said), [i.example.id for i in t.items]] for t in self.tasks
        ]
        return atomic.fingerprint([asked, [[s.name, dict(s.identity)] for s in self.subjects]])

    @property
    def folder(self) -> Path:
        """Where the record goes if nobody says."""
        return Path("evals") / f"{'-'.join(t.name for t in self.tasks)}-{self.fingerprint[:8]}"

    def run(self, bench: Bench) -> list[Path]:
        """Ask, and write the reports; the lock of the folder is held meanwhile."""
        if self.handed is not None:
            bench.part_titles = handed_over.part_titles(self.handed)
        with bench.folder.locked():
            return evaluate(bench, self.subjects, self.tasks, self.roles)


def benchmarks(
    models: Sequence[str],
    tasks: Sequence[str],
    data: Path | None,
    wanted: Wanted,
    *,
    download: bool = False,
    is_vllm: bool = False,
) -> Order:
    """Every model, asked each benchmark; `lm-eval:NAME` is a task of lm-eval.

    Without `data`, `perplexity` takes the test rows of the one run or package among the models.

    Raises:
        RecipeError: No benchmark or no data are named, or no task can use those that are; a
            benchmark or model is not known.
        ResourceError: A model or the data are not here.
        DataError: The data cannot be used.
    """
    names = list(dict.fromkeys(tasks))
    if not names:
        what = _("no benchmark is named")
        raise RecipeError(Problem("--tasks", what, _("write for example `--tasks drcd`")))
    own = [name for name in names if not name.startswith(harness.PREFIX)]
    wanting = [name for name in own if needs_data(name)]
    if data is not None and not wanting and own == names:
        what = _("{tasks} needs no data").format(tasks=", ".join(names))
        raise RecipeError(Problem("--data", what, _("leave out `--data`")))
    if data is None and wanting == [own_rows.NAME]:
        data = _the_run(models)
    if data is None and wanting:
        what = _("a benchmark needs its data")
        raise RecipeError(Problem("--data", what, _("add `--data FILE`")))
    loaded: list[Task | HarnessTask] = []
    for name in names:
        if name in own:
            loaded.append(_task(name, data, wanted))
        else:
            bare = name.removeprefix(harness.PREFIX)
            loaded.append(harness.load(bare, data, wanted, download=download))
    return Order(tuple(_named(models, is_vllm=is_vllm)), tuple(loaded))


def _task(name: str, data: Path | None, wanted: Wanted) -> Task:
    if data is None or not needs_data(name):
        return own_task(name, wanted)
    if name == own_rows.NAME and own_rows.is_rows(data):
        return own_rows.likelihood_task(data, wanted)
    return load_task(name, data, wanted)


def _the_run(models: Sequence[str]) -> Path | None:
    """The one run or package among the models."""
    found = [folder for folder in map(_place, models) if folder.is_dir()]
    runs = [folder for folder in found if handed_over.find(folder) is not None]
    return runs[0] if len(runs) == 1 else None


def own_tests(
    models: Sequence[str], data: Path | None, wanted: Wanted, *, is_vllm: bool = False
) -> Order:
    """What a package or run hands over, asked the recipe's own test rows.

    The safetensors are the reference; every GGUF file is compared with them, an adapter where there
    is no whole model. With further models all are peers, each asked in its own chat template and
    compared with the safetensors.

    Raises:
        RecipeError: The first model is no package or run.
        ResourceError: Its rows, its base model or a further model are not here.
        DataError: The rows are not those it was tested on.
    """
    if is_vllm:
        what = _("vLLM runs a base model or a merged folder here")
        raise RecipeError(Problem("--vllm", what, _("leave out `--vllm`")))
    found = handed_over.find(_place(models[0]))
    if found is None:
        what = _("without `--tasks`, the first model must be a package or run and lends its rows")
        fix = _("name a benchmark, such as `--tasks drcd --data FILE`")
        raise RecipeError(Problem(models[0], what, fix))
    if not found.pieces:
        what, fix = _("no export of it can be run"), _("add `- kind: gguf` under `exports`")
        raise ResourceError(Problem(models[0], what, fix))
    task = handed_over.tests_of(found, data, limit=wanted.limit, seed=wanted.seed)
    pieces = sorted(found.pieces, key=lambda piece: piece.kind not in SAFETENSORS)
    asked = tuple(found.subject(piece, piece.name) for piece in pieces)
    taken = {piece.name for piece in pieces}
    others = _named(models[1:], taken=taken, is_vllm=False)
    tuned = found.first(*SAFETENSORS)
    whole = [p.name for p in pieces if p.kind == GGUF]
    delivered = whole or [p.name for p in pieces if p.kind == GGUF_ADAPTER]
    roles = None
    if tuned is not None and not others:
        roles = Roles(tuned=tuned.name, delivered=tuple(delivered))
    return Order((*asked, *others), (task,), roles, found)


def _place(given: str) -> Path:
    """The path that is meant: the one given, else the package of a run or recipe of this name."""
    path = Path(given)
    return path if path.exists() else (named_package(given) or path)


def _named(models: Sequence[str], *, taken: Collection[str] = (), is_vllm: bool) -> list[Subject]:
    """Each model as a column of a name of its own, that is not `taken`."""
    found: list[Subject] = []
    taken = {*taken}
    for given in models:
        name = base = NOT_IN_A_NAME.sub("-", _name(given)).strip("-.") or "model"
        number = 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        found.append(_subject(given, name, is_vllm=is_vllm))
    return found


def _name(given: str) -> str:
    path = _place(given)
    if path.suffix == ".gguf":
        return path.stem
    package = handed_over.find(path) if path.is_dir() else None
    return (
        path.resolve().name
        if package is None and path.is_dir()
        else (given if package is None else package.name)
    )


def _subject(given: str, name: str, *, is_vllm: bool) -> Subject:
    path = _place(given)
    if is_vllm:
        if path.suffix == ".gguf" or (path.is_dir() and handed_over.find(path)):
            what = _("vLLM runs a base model or a merged folder here")
            raise ResourceError(Problem(given, what, _("leave out `--vllm`")))
        return subjects.of_vllm(name, locate(given, Path()))
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ResourceError(Problem(given, _("no such file"), _("check the path")))
        return subjects.of_gguf(name, path)
    if is_onnx(path):
        return subjects.of_onnx(name, path)
    if path.is_dir():
        if whole := handed_over.find(path):
            return whole.delivered(name)
        if part := handed_over.find_piece(path):
            owner, piece = part
            return owner.subject(piece, name)
    return subjects.of_folder(name, locate(given, Path()))
