"""Hand each step of a training to trackers, through the callbacks that transformers has for them.

A tracker gets what `metrics.jsonl` gets: it hears the same event. What it is told of the run are
the recipe's settings, not the Trainer's arguments, which name folders of this machine. Without an
environment variable that says otherwise everything stays on this machine, in `trackers` beside the
runs; a tracker that fails while the training goes on is left out of the rest of it.

Sources: `TensorBoardCallback`, `TrackioCallback`, `MLflowCallback` and `WandbCallback` of
transformers 5.24, integrations/integration_utils.py, of which only `on_train_begin`, `on_log` and
`on_train_end` are called.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core import secrets
from foundry.core.errors import Problem, ResourceError
from foundry.core.events import HEAD, Event, Events
from foundry.core.language import gettext as _
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.core.yaml_places import dotted

FOLDER = "trackers"
# What an event of a step has beside the numbers of `metrics.jsonl`; the place of the step is told
# by itself.
NOT_TOLD = (*HEAD, "step", "of", "eta_s", "tokens_per_s")


@dataclass(frozen=True)
class Told:
    """What the callbacks read of the Trainer's arguments, as far as they may know it."""

    run_name: str
    project: str
    output_dir: str
    settings: Mapping[str, Any]
    trackio_space_id: str | None = None
    trackio_bucket_id: str | None = None
    trackio_static_space_id: bool = False
    hub_private_repo: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """The settings by dotted key."""
        return dict(self.settings)

    def to_json_string(self) -> str:
        """The same as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)


@contextmanager
def tracked(names: Sequence[str], plan: Plan, run: RunDir, events: Events) -> Iterator[None]:
    """Tell trackers of the steps in the block.

    Args:
        names: The trackers.
        plan: Its name is the project's, and its values are what the trackers know of the run.
        run: Its name is the run's.
        events: Bring the steps.

    Raises:
        ResourceError: A tracker cannot be begun.
    """
    if not names:
        yield
        return
    store = run.path.parent / FOLDER
    store.mkdir(parents=True, exist_ok=True)
    told = Told(
        run_name=run.path.name,
        project=plan.name,
        output_dir=FOLDER,
        settings=flat(secrets.mask_all(dict(plan.values))),
    )
    with _at_home(store.absolute(), plan.name):
        open_ones = [_begun(name, told, store / name) for name in dict.fromkeys(names)]
        try:
            with events.heard_by(lambda event: _hear(event, open_ones, events)):
                yield
        finally:
            for one in open_ones:
                one.end(events)


@dataclass
class _Open:
    """A tracker that was begun; `callback` is None once it failed."""

    name: str
    callback: Any
    told: Told

    def log(self, step: int, numbers: Mapping[str, float], events: Events) -> None:
        """Tell the numbers of a step, under the names that all trackers have for them."""
        from transformers.integrations.integration_utils import rewrite_logs

        logs = rewrite_logs(numbers) if self.name == "mlflow" else dict(numbers)
        self._call(events, "on_log", step, logs=logs)

    def go_on(self, step: int) -> None:
        """Take back what a run that was killed told after `step`, where the tracker can."""
        if self.name == "tensorboard" and self.callback is not None:
            before = self.callback.tb_writer
            self.callback.tb_writer = _writer(Path(before.log_dir), purge_step=step + 1)
            before.close()

    def end(self, events: Events) -> None:
        """Close it; the callback of W&B leaves its run open until the process ends."""
        self._call(events, "on_train_end", 0)
        if self.name == "wandb":
            self._guarded(events, lambda: self.callback._wandb.finish())
        self.callback = None

    def _call(self, events: Events, method: str, step: int, **values: Any) -> None:
        def call() -> None:
            getattr(self.callback, method)(self.told, _state(step), None, model=None, **values)

        self._guarded(events, call)

    def _guarded(self, events: Events, call: Callable[[], None]) -> None:
        """Call a tracker that has not failed yet; whatever it meets, the training is worth more."""
        if self.callback is None:
            return
        try:
            with redirect_stdout(sys.stderr):
                call()
        except Exception as error:
            failed, self.callback = self.callback, None
            with suppress(Exception), redirect_stdout(sys.stderr):  # or its threads go on writing
                failed.on_train_end(self.told, _state(0), None, model=None)
            detail = _detail(error)
            events.emit("train", "warning", code="tracker", tracker=self.name, detail=detail)


def _begun(name: str, told: Told, folder: Path) -> _Open:
    try:
        with redirect_stdout(sys.stderr):
            callback = _callback(name, told, folder)
            callback.on_train_begin(told, _state(0), None, model=None)
    except Exception as error:
        what = _("the tracker cannot be begun ({detail})").format(detail=_detail(error))
        fix = _("put right what it names, or take it out of `track`")
        raise ResourceError(Problem(f"track: {name}", what, fix)) from error
    return _Open(name, callback, told)


def _callback(name: str, told: Told, folder: Path) -> Any:
    from transformers.integrations import integration_utils as theirs

    if name == "trackio":
        return theirs.TrackioCallback()
    if name == "mlflow":
        return theirs.MLflowCallback()
    if name == "wandb":
        return theirs.WandbCallback()
    place = Path(os.environ.get("TENSORBOARD_LOGGING_DIR") or folder) / told.run_name
    return theirs.TensorBoardCallback(_writer(place))


def _writer(folder: Path, *, purge_step: int | None = None) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder, purge_step=purge_step)


def _hear(event: Event, open_ones: list[_Open], events: Events) -> None:
    if event["stage"] != "train" or event["event"] not in ("resume", "step"):
        return
    if event["event"] == "resume":
        for one in open_ones:
            one.go_on(event["step"])
        return
    given = {key: event[key] for key in event if key not in NOT_TOLD}
    numbers = {key: float(value) for key, value in given.items() if isinstance(value, int | float)}
    for one in open_ones:
        one.log(event["step"], numbers, events)


def _state(step: int) -> Any:
    from transformers import TrainerState

    return TrainerState(global_step=step, is_world_process_zero=True, logging_steps=1)


def flat(values: Any, path: tuple[str | int, ...] = ()) -> dict[str, Any]:
    """Every scalar by its dotted path."""
    if isinstance(values, Mapping):
        pairs = list(values.items())
    elif isinstance(values, list | tuple):
        pairs = list(enumerate(values))
    else:
        return {dotted(path): values}
    return {
        key: value for part, inner in pairs for key, value in flat(inner, (*path, part)).items()
    }


def _detail(error: Exception) -> str:
    """The first line of an error, without tokens."""
    return secrets.mask(f"{type(error).__name__}: {error}").splitlines()[0]


@contextmanager
def _at_home(store: Path, project: str) -> Iterator[None]:
    """Settings with which the trackers keep to this machine, where the user set no other.

    Each is documented by its vendor: https://docs.wandb.ai/guides/track/environment-variables,
    https://mlflow.org/docs/latest/ml/tracking, https://huggingface.co/docs/trackio.
    """
    ours = {
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(store),
        "WANDB_PROJECT": project,
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_META": "true",
        "WANDB_X_DISABLE_MACHINE_INFO": "true",
        "WANDB_ERROR_REPORTING": "false",
        "TRACKIO_DIR": str(store / "trackio"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{(store / 'mlflow.db').as_posix()}",
        "MLFLOW_EXPERIMENT_NAME": project,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    missing = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
