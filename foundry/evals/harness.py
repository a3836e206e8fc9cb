"""Tasks of lm-eval: found by name, drawn like a benchmark of our own, and reported like one.

lm-eval brings a task's documents, words, worked examples, filters and metrics; a runtime of ours
answers (`evals.harness_model`). A task comes from a folder of YAML files, or from lm-eval's own
list, whose data the hub's cache holds or, where that is asked for, the hub.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.blocks import Block, Plugin
from foundry.core.errors import DataError, Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Example, Turn
from foundry.evals.aggregates import Mean
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.benchmark import Wanted, draw
from foundry.evals.comparison import same
from foundry.evals.metrics import Metric
from foundry.evals.wording import Text
from foundry.models import quiet

PREFIX = "lm-eval:"
ROLLING = "loglikelihood_rolling"
VERSION = 1
EXPLAIN = {
    "en": "As lm-eval computes it for this task, averaged over the questions.",
    "zh-TW": "照 lm-eval 對這個任務的算法，再對各題取平均。",
}


@dataclass(frozen=True)
class HarnessTask:
    """A task or group of lm-eval with its items drawn.

    Args:
        name: Of its folder and in messages.
        title: For the report, per language.
        form: `chat` where each model's own template is applied, else `text`.
        items: What is asked; the part is the task of a group.
        evals: Evaluators of ours that apply too.
        said: What makes two askings the same (C28).
        tasks: lm-eval's own tasks, by name.
        samples: The documents to ask of each, by their places.
        seed: Draws the worked examples, the same for every model.
    """

    name: str
    title: Text
    form: str
    items: tuple[Item, ...]
    evals: Sequence[Block]
    said: Mapping[str, Any]
    tasks: Mapping[str, Any]
    samples: Mapping[str, list[int]]
    seed: int

    @property
    def is_chat(self) -> bool:
        """Whether each model's own chat template is applied."""
        return self.form == "chat"


def load(name: str, data: Path | None, wanted: Wanted, *, download: bool = False) -> HarnessTask:
    """A task of lm-eval.

    Args:
        name: Of the task, group or tag, without `lm-eval:`.
        data: A folder with task files, or one task file; lm-eval's own tasks where None.
        wanted: What was chosen; a task that says 0 worked examples itself keeps 0.
        download: Whether the hub may be asked for data that are not in its cache.

    Raises:
        ResourceError: lm-eval is not installed; the data are not here.
        RecipeError: No such task.
        DataError: A task cannot be asked, or no document is left.
    """
    if util.find_spec("lm_eval") is None:
        what = _("lm-eval is not installed")
        raise ResourceError(Problem(PREFIX + name, what, "pip install 'ai-foundry[lm-eval]'"))
    quiet.hush()
    tasks = _found(name, data, download=download)
    for task in tasks.values():
        _check(task)
        _prepare(task, wanted)
    pool = [(key, n) for key, task in tasks.items() for n in range(len(task.eval_docs))]
    order = sorted(pool, key=lambda place: draw(wanted.seed, item_id(*place)))[: wanted.limit]
    if not order:
        what = _("no row is left to ask")
        raise DataError(Problem(PREFIX + name, what, _("give a file with more rows")))
    samples = {key: sorted(n for other, n in order if other == key) for key in tasks}
    asked = {key: task for key, task in tasks.items() if samples[key]}
    is_text = any(task.OUTPUT_TYPE == ROLLING for task in asked.values())
    return HarnessTask(
        name=f"lm-eval-{name}",
        title=same(f"{name} (lm-eval)"),
        form="chat" if wanted.chat else "text",
        items=tuple(_item(key, task, n) for key, task in asked.items() for n in samples[key]),
        evals=[Plugin("evaluator").read({"kind": "likelihood"})] if is_text else [],
        said=_said(name, asked, wanted.seed),
        tasks=asked,
        samples={key: samples[key] for key in asked},
        seed=wanted.seed,
    )


def item_id(task: str, document: int) -> str:
    """The id of a document of a task, by its place."""
    return f"{task}-{document}"


def metrics_of(task: HarnessTask, columns: Sequence[Column]) -> list[Metric]:
    """lm-eval's metrics that are a mean over items and lie in 0..1, in its order.

    The others, such as a corpus' BLEU, stand in the report's facts as lm-eval gives them.
    """
    better: dict[str, bool] = {}
    for one in task.tasks.values():
        better.update(one.higher_is_better())
    given = [answer.scores for column in columns for answer in column.answers.values()]
    keys = dict.fromkeys(key for scores in given for key in scores)
    found: list[Metric] = []
    for key in keys:
        if all(0 <= scores[key] <= 1 for scores in given if key in scores):
            metric = key.partition(",")[0]
            found.append(
                Metric(
                    name=metric_name(key),
                    title=same(key.removesuffix(",none").replace(",", ", ")),
                    explain=EXPLAIN,
                    version=VERSION,
                    spec={"lm_eval": key},
                    aggregate=Mean(metric_name(key), partial(_score, key)),
                    lower_is_better=not better.get(metric, True),
                    of_models=True,
                )
            )
    return found


def metric_name(key: str) -> str:
    """Our name of a metric that lm-eval calls `metric,filter`."""
    return "lm-eval-" + key.removesuffix(",none").replace(",", "-").replace("_", "-")


def plain(results: Mapping[str, Any]) -> dict[str, Any]:
    """lm-eval's own numbers of each column and task: those that are numbers."""
    return {
        column: {
            name: {key: value for key, value in one.items() if isinstance(value, int | float)}
            for name, one in tasks.items()
        }
        for column, tasks in results.items()
    }


def _score(key: str, item: Item, answer: Answer) -> float | None:
    return answer.scores.get(key)


def _found(name: str, data: Path | None, *, download: bool) -> dict[str, Any]:
    from lm_eval.tasks import TaskManager

    if data is not None and not data.exists():
        raise ResourceError(Problem(str(data), _("no such file or folder"), _("check the path")))
    folder = data if data is None or data.is_dir() else data.parent
    manager = TaskManager(include_path=folder, include_defaults=folder is None)
    if name not in manager.all_tasks:
        where = PREFIX + name
        raise RecipeError(Problem(where, _unknown(manager.all_tasks), _any_name(name, manager)))
    reach: Callable[[], AbstractContextManager[None]] = _online if download else nullcontext
    # A task file names its data from its own folder, so that the folder can be carried about.
    with quiet.quiet(), reach(), nullcontext() if folder is None else chdir(folder):
        try:
            tasks: dict[str, Any] = manager.load(name)["tasks"]
        except (OSError, ValueError, LookupError) as error:
            raise ResourceError(_no_data(name, error, download=download)) from error
    return tasks


def _unknown(known: Sequence[str]) -> str:
    if len(known) > 20:
        return _("lm-eval has no such task")
    return _("no such task; there are: {known}").format(known=", ".join(known))


def _any_name(name: str, manager: Any) -> str:
    import difflib

    near = difflib.get_close_matches(name, manager.all_tasks, n=1)
    return _("use `{name}`").format(name=near[0]) if near else _("choose one of the names listed")


def _no_data(name: str, error: Exception, *, download: bool) -> Problem:
    said = " ".join(str(error).split())[:300]
    what = _("its data cannot be read ({error})").format(error=said)
    fix = _("correct `dataset_path` and `dataset_kwargs` of the task")
    return Problem(
        PREFIX + name, what, fix if download else _("{fix}; or add `--download`").format(fix=fix)
    )


@contextmanager
def _online() -> Any:
    """Inside, the hub may be called for data sets too."""
    from datasets import config

    with quiet.online():
        before, config.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE, False
        try:
            yield
        finally:
            config.HF_HUB_OFFLINE = before


# Fields of a document that several questions may have in common, as tasks of lm-eval name them.
SHARED = ("passage", "context", "flores_passage", "article", "story", "paragraph", "title")


def _check(task: Any) -> None:
    """Refuse what no runtime of ours may do."""
    where = PREFIX + task.task_name
    if vars(type(task)).get("MULTIMODAL") or vars(task).get("MULTIMODAL"):
        raise DataError(Problem(where, _("asks about pictures or sound")))
    if task.config.unsafe_code:
        raise DataError(Problem(where, _("runs code that the model writes")))


def _prepare(task: Any, wanted: Wanted) -> None:
    """As many worked examples as chosen (as `lm_eval.evaluator.simple_evaluate` does)."""
    own = task.get_config("num_fewshot")
    if own is None or (own != 0 and wanted.few_shot is not None):
        task.set_config(key="num_fewshot", value=wanted.few_shot or 0)


def _item(name: str, task: Any, place: int) -> Item:
    """A document as the report shows it: its own question without worked examples."""
    document = task.eval_docs[place]
    key = item_id(name, place)
    asked, target = task.doc_to_text(document), task.doc_to_target(document)
    if isinstance(target, int) and task.OUTPUT_TYPE == "multiple_choice":
        target = task.doc_to_choice(document)[target]
    text = str(target) if task.OUTPUT_TYPE == ROLLING else ""
    turns = Turn("user", str(asked)), Turn("assistant", str(target))
    return Item(Example(key, turns, name, place + 1, _group(key, document), text=text), name)


def _group(key: str, document: Mapping[str, Any]) -> str:
    """Questions about one text are no independent ones; any other stands for itself."""
    shared = next((document[name] for name in SHARED if document.get(name)), None)
    return key if shared is None else atomic.fingerprint(str(shared))


def _said(name: str, tasks: Mapping[str, Any], seed: int) -> dict[str, Any]:
    plain = {key: str(task.dump_config()) for key, task in tasks.items()}
    return {
        "name": PREFIX + name,
        "lm_eval": metadata.version("lm_eval"),
        "versions": {key: task.VERSION for key, task in tasks.items()},
        "few_shot": {key: task.get_config("num_fewshot") for key, task in tasks.items()},
        "output_types": {key: task.OUTPUT_TYPE for key, task in tasks.items()},
        "seed": seed,
        "config_sha256": atomic.fingerprint(plain),
    }
