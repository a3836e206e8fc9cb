"""What a recipe may not do with its base model and data, known before anything is read."""

from foundry.core import environment, plugins
from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.load import LoadedRecipe
from foundry.core.records import BaseModel
from foundry.core.trackers import missing


def check_context(loaded: LoadedRecipe, base: BaseModel) -> None:
    wanted = loaded.recipe.encode.max_seq_len
    if wanted > base.context:
        what = _("{key}: {wanted} tokens are more than the {most} that {base} can read")
        key = "encode.max_seq_len"
        raise RecipeError(
            Problem(
                loaded.origins[key],
                what.format(key=key, wanted=wanted, most=base.context, base=base.name),
                _("set it to {most} or less").format(most=base.context),
            )
        )


def check_trackers(loaded: LoadedRecipe) -> None:
    """Refuse a tracker whose package is not installed, before anything is trained."""
    problems = missing(loaded.recipe.track)
    if problems:
        raise ResourceError(problems)


def check_device(loaded: LoadedRecipe, backend: str, *, has_bfloat16: bool = True) -> None:
    """Refuse what the device has not, before a model is loaded for it.

    Raises:
        ResourceError: bitsandbytes has no 8-bit optimizer for a processor; or a GPU no bfloat16.
    """
    train = loaded.recipe.train.spec.model_dump()
    problems = []
    if train.get("optimizer") == "adamw-8bit" and backend == "cpu":
        what = _("`adamw-8bit` needs a GPU, and this trains on the processor")
        problems.append(Problem(_place(loaded, "train.optimizer"), what, _("set it to `auto`")))
    if train.get("dtype") == "bfloat16" and backend == "cuda" and not has_bfloat16:
        what = _("the GPU does not compute bfloat16")
        problems.append(Problem(_place(loaded, "train.dtype"), what, _("set it to `auto`")))
    if problems:
        raise ResourceError(problems)


def check_four_bits(loaded: LoadedRecipe) -> None:
    """Refuse a base in four bits where bitsandbytes is missing or broken, before any download.

    On a processor it works from 0.50 on, slowly; nothing falls back to the base in full (C82).

    Raises:
        ResourceError: It is not installed, or cannot be loaded; says which.
    """
    name = loaded.recipe.adapter.kind
    if plugins.load("adapter", name).BASE != "nf4":
        return
    where = _place(loaded, "adapter.kind")
    if environment.installed("bitsandbytes") is None:
        what = _("`{adapter}` needs bitsandbytes, which is not installed").format(adapter=name)
        fix = _("`{command}`, or set `adapter.kind: lora`")
        raise ResourceError(Problem(where, what, fix.format(command="pip install bitsandbytes")))
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        what = _("`{adapter}` needs bitsandbytes, which is here and cannot be loaded ({error})")
        what = what.format(adapter=name, error=str(error).strip().partition("\n")[0])
        fix = _("`{command}`, or set `adapter.kind: lora`")
        again = "pip install --force-reinstall bitsandbytes"
        raise ResourceError(Problem(where, what, fix.format(command=again))) from error


def _place(loaded: LoadedRecipe, key: str) -> str:
    return loaded.origins.get(key, key)


def check_validation(loaded: LoadedRecipe) -> None:
    """Refuse to choose or stop by a loss that nothing is there to measure on."""
    if loaded.recipe.data.is_validated:
        _refuse_validation(loaded)
        return
    spec = loaded.recipe.train.spec.model_dump()
    what = _("{key}: there are no validation rows to measure on")
    fix = _("add `data.split.validation: 0.1`, or files under `data.validation`")
    keys = ("best_by", "early_stopping", "evaluate_every")
    wanted = [f"train.{key}" for key in keys if spec.get(key) is not None]
    problems = [
        Problem(loaded.origins.get(key, loaded.path.name), what.format(key=key), fix)
        for key in wanted
    ]
    if problems:
        raise RecipeError(problems)


def check_dropout(loaded: LoadedRecipe) -> None:
    """Refuse dropout where the loss compares log-probabilities, to which it would be noise.

    TRL 1.16 switches it off in silence (`disable_dropout` of its DPO, KTO and ORPO arguments).
    """
    kind, key = loaded.recipe.train.kind, "adapter.dropout"
    dropout = loaded.recipe.adapter.spec.model_dump().get("dropout")
    bears = plugins.optional(plugins.load("trainer", kind), "DROPOUT")
    if bears is not False or not dropout:
        return
    what = _("{key}: `{kind}` compares log-probabilities, to which dropout would be noise")
    fix = _("set it to 0")
    raise RecipeError(Problem(_place(loaded, key), what.format(key=key, kind=kind), fix))


def _refuse_validation(loaded: LoadedRecipe) -> None:
    """Refuse rows to measure a loss on that the trainer does not take."""
    kind = loaded.recipe.train.kind
    if plugins.optional(plugins.load("trainer", kind), "VALIDATES") is not False:
        return
    what = _("`{kind}` has no loss that validation rows could be measured by")
    fix = _("remove `data.validation` and `data.split.validation`")
    raise RecipeError(Problem(_place(loaded, "train.kind"), what.format(kind=kind), fix))


def check_judge(loaded: LoadedRecipe) -> None:
    """Refuse to let a judge alone decide that nobody has compared with people.

    Judges take sides: with the first answer, the longer one, their own; see `evals.judging`.
    """
    gates = [gate.metric.split("-")[0] for gate in loaded.recipe.gates]
    judge = next((block.spec for block in loaded.recipe.evals if block.kind == "judge"), None)
    if judge is None or judge.model_dump()["people"] is not None or {*gates} != {"judge"}:
        return
    what = _("only a judge decides, and nothing says how far it agrees with people")
    fix = _("add a gate on another evaluator, or pairs that people judged (`people` of the judge)")
    raise RecipeError(Problem(_place(loaded, "gates.0.metric"), what, fix))


def check_exports(loaded: LoadedRecipe, base: BaseModel | None) -> None:
    """Refuse an export that could not be written after the training it needs.

    Of a base that is not on this machine, None, only what no base could give.
    """
    problems = []
    for number, block in enumerate(loaded.recipe.exports):
        exporter = plugins.load("exporter", block.kind)
        found = _lacks_update(loaded, block.kind)
        if found is None and base is not None:
            found = exporter.misfit(base)
        if found is not None:
            key = f"exports.{number}.kind"
            what = f"{key}: {found.what}"
            where = loaded.origins.get(key, loaded.path.name)
            problems.append(Problem(where, what, found.fix))
    if problems:
        raise RecipeError(problems)


def _lacks_update(loaded: LoadedRecipe, kind: str) -> Problem | None:
    """Why an export of an update cannot be made where all weights are trained."""
    name = loaded.recipe.adapter.kind
    adapter, carries = plugins.load("adapter", name), plugins.load("exporter", kind).CARRIES
    if carries == "weights" or (carries == "update" and adapter.TRAINS == "update"):
        return None
    if adapter.TRAINS == "update":
        if adapter.LOW_RANK:
            return None
        what = _("`{adapter}` is no plain low-rank update, and the format holds no other")
        return Problem(
            kind, what.format(adapter=name), _("set it to `merged`, `gguf` or `adapter`")
        )
    what = _("`{adapter}` trains the weights themselves, so that there is no adapter to write")
    fix = _("set it to `merged` or `gguf`, or set `adapter.kind: lora`")
    return Problem(kind, what.format(adapter=name), fix)
