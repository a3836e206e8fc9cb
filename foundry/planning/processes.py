"""On how many processes a recipe trains on this machine, how they share the model, and why.

Neither changes the result, but that dropout is drawn in each process by itself: a step is the
recipe's `global_batch_size` rows on any number of them.
"""

import sys
from collections.abc import Iterator
from importlib.util import find_spec

from foundry.core import environment, plugins
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.planning import accelerator
from foundry.planning.accelerator import Look

SINGLE, DDP, FSDP2, DEEPSPEED = "single", "ddp", "fsdp2", "deepspeed"
# What nothing but its own tensors is needed for to save, prove and read again.
IN_PARTS = ("lora", "rslora", "lora-plus", "qlora", "full")
BY_STRATEGY = {FSDP2: IN_PARTS, DEEPSPEED: ("lora", "rslora", "full")}
Reasons = dict[str, str]


def processes(loaded: LoadedRecipe, machine: Look) -> tuple[dict[str, int | str], Reasons]:
    """`world_size` and `strategy` for a machine, and by key of the plan why."""
    block = loaded.recipe.compute
    size, why_size = block.processes, _origin(loaded, "processes")
    if size == "auto":
        size, why_size = _automatic(loaded, machine)
        if size > 1 and loaded.recipe.adapter.spec.model_dump().get("dropout"):
            why_size = _("{why}; dropout is drawn in each by itself").format(why=why_size)
    strategy, why = block.strategy, _origin(loaded, "strategy")
    if size == 1 and strategy == "auto":
        strategy, why = SINGLE, _("computed: one process")
    elif strategy == "auto":
        strategy, why = DDP, _("computed: the model fits each process")
    made = {"world_size": size, "strategy": strategy}
    return made, {"resolved.world_size": why_size, "resolved.strategy": why}


def _automatic(loaded: LoadedRecipe, machine: Look) -> tuple[int, str]:
    if loaded.recipe.compute.strategy == SINGLE:
        return 1, _("computed: `strategy` is `single`")
    if machine.cards < 2:
        return 1, _("computed: one process, as there are not several GPUs")
    if not shares(loaded):
        return 1, _("computed: the trainer works in one process")
    return largest_share(loaded, machine.cards), _("computed: one process for each GPU")


def largest_share(loaded: LoadedRecipe, cards: int) -> int:
    """How many processes `auto` is where there are so many GPUs."""
    if loaded.recipe.compute.strategy == SINGLE or not shares(loaded):
        return 1
    rows: int = loaded.recipe.train.spec.model_dump()["global_batch_size"]
    return max(1, min(cards, rows))


def room(machine: Look) -> int:
    """How many processes a machine has room for: its GPUs, or cores where it has none."""
    return max(1, machine.cards if machine.card is not None else environment.cores())


def _origin(loaded: LoadedRecipe, key: str) -> str:
    return loaded.origins.get(f"compute.{key}", "default")


def planned(loaded: LoadedRecipe, *, is_this_machine: bool) -> tuple[int, str]:
    """How many processes, and how they share the model, on a machine that is planned for.

    On another than this one, as many of its devices as the recipe says; one where it does not.
    """
    machine = accelerator.look() if is_this_machine else Look(None, None)
    made, _reasons = processes(loaded, machine)
    return int(made["world_size"]), str(made["strategy"])


def open_strategy(loaded: LoadedRecipe) -> set[str]:
    """`strategy`, where the recipe leaves it open and its update may be trained in parts."""
    is_open = loaded.recipe.compute.strategy == "auto" and loaded.recipe.adapter.kind in IN_PARTS
    return {"strategy"} if is_open and FSDP2 in shares(loaded) else set()


def shares(loaded: LoadedRecipe) -> tuple[str, ...]:
    """By which strategies the recipe's trainer can share the rows of a step; none, where alone."""
    trainer = plugins.load("trainer", loaded.recipe.train.kind)
    return tuple(plugins.optional(trainer, "MANY_PROCESSES") or ())


def check_processes(loaded: LoadedRecipe, machine: Look) -> None:
    """Refuse what cannot be shared out so on any machine.

    Raises:
        RecipeError: The block contradicts itself or the rest of the recipe.
    """
    settled, _reasons = processes(loaded, machine)
    size, strategy = int(settled["world_size"]), str(settled["strategy"])
    wrong = list(contradictions(loaded, size, strategy))
    if wrong:
        raise RecipeError(wrong)


def check_room(loaded: LoadedRecipe, machine: Look) -> None:
    """Refuse more processes than this machine has GPUs, or cores where it has none.

    Raises:
        ResourceError: Names how many there are.
    """
    settled, _reasons = processes(loaded, machine)
    lacking = list(_lacking(loaded, machine, int(settled["world_size"])))
    if lacking:
        raise ResourceError(lacking)


def contradictions(loaded: LoadedRecipe, size: int, strategy: str) -> Iterator[Problem]:
    """What no machine could do: rows too few, one process that shares, a trainer that cannot."""
    train = loaded.recipe.train.spec.model_dump()
    rows = train["global_batch_size"]
    if size == 1 and strategy != SINGLE:
        what = _("`{strategy}` shares a model among processes, and there is one")
        fix = _("set `compute.processes` to 2 or more, or `compute.strategy` to `auto`")
        fix = fix if shares(loaded) else _("set it to `auto`")
        yield _problem(loaded, "strategy", what.format(strategy=strategy), fix)
    if size > 1 and strategy == SINGLE:
        what = _("`single` is one process (found: {size})").format(size=size)
        yield _problem(loaded, "strategy", what, _("set it to `auto`"))
    adapter = loaded.recipe.adapter.kind
    if adapter not in BY_STRATEGY.get(strategy, (adapter,)):
        what = _("`{strategy}` is for the adapters {names}; this is `{adapter}`")
        names = ", ".join(f"`{name}`" for name in BY_STRATEGY[strategy])
        what = what.format(strategy=strategy, names=names, adapter=adapter)
        fix = _("set `compute.strategy` to `ddp`, or `adapter.kind` to `lora`")
        yield _problem(loaded, "strategy", what, fix)
    if strategy in (FSDP2, DEEPSPEED) and train["optimizer"] == "adamw-8bit":
        what = _("`{strategy}` shares out moments in float32, not those of `adamw-8bit`")
        fix = _("set `train.optimizer` to `auto`, or `compute.strategy` to `ddp`")
        yield _problem(loaded, "strategy", what.format(strategy=strategy), fix)
    if size > rows:
        what = _("{size} processes for {rows} rows in a step: some would have none")
        fix = _("set it to {rows} or less, or raise `train.global_batch_size`")
        yield _problem(
            loaded, "processes", what.format(size=size, rows=rows), fix.format(rows=rows)
        )
    known, kind = shares(loaded), loaded.recipe.train.kind
    if size > 1 and not known:
        what = _("the trainer `{kind}` works in one process").format(kind=kind)
        yield _problem(loaded, "processes", what, _("set it to 1"))
    if size > 1 and known and strategy not in (SINGLE, *known):
        what = _("the trainer `{kind}` is not for `{strategy}`")
        if strategy == FSDP2:
            what = _("the trainer `{kind}` needs the whole model in each process")
        what = what.format(kind=kind, strategy=strategy)
        yield _problem(loaded, "strategy", what, _("set it to `ddp`"))


def _lacking(loaded: LoadedRecipe, machine: Look, size: int) -> Iterator[Problem]:
    if loaded.recipe.compute.strategy == DEEPSPEED and find_spec("deepspeed") is None:
        what, fix = _("the package is not installed"), "pip install 'ai-foundry[deepspeed]'"
        yield Problem("deepspeed", what, fix)
    if size > 1 and sys.platform == "win32":
        what, fix = _("several processes need Linux or macOS"), _("set it to 1")
        yield _problem(loaded, "processes", what, fix)
    most = room(machine)
    if size > most:
        of = _("{size} processes are more than the {most} GPUs that torch finds")
        if machine.card is None:
            of = _("{size} processes are more than the {most} cores of this machine")
        fix = _("set it to {most} or less").format(most=most)
        yield _problem(loaded, "processes", of.format(size=size, most=most), fix)


def _problem(loaded: LoadedRecipe, key: str, what: str, fix: str) -> Problem:
    key = f"compute.{key}"
    return Problem(loaded.origins.get(key, loaded.path.name), f"{key}: {what}", fix)
