"""`foundry eval`: ask models the same questions, and set their answers side by side."""

import json as json_format
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundry.cli.output import (
    Json,
    Streams,
    print_json,
    print_table,
    refuse_documents,
    verb_app,
    with_example,
)
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.language import tag

if TYPE_CHECKING:
    from foundry.delivery.asked import Order

app = verb_app(_("Ask models the same questions and compare their answers."))

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help=_("A base model's name, a model's or ONNX folder, a run, a package or a GGUF file."),
    ),
]
Tasks = Annotated[
    str | None,
    typer.Option(
        "--tasks",
        metavar="TASK[,TASK]",
        help=_(
            "Benchmarks, or `lm-eval:NAME`. Without them, the first model, a package or run, lends "
            "its own test rows."
        ),
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help=_("The benchmark's file, or a folder with it; a run or recipe for `perplexity`."),
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help=_("Ask only so many questions, drawn."))
]
BatchSize = Annotated[
    int, typer.Option("--batch-size", min=1, help=_("Questions that are worked on at once."))
]
FewShot = Annotated[
    int | None,
    typer.Option("--few-shot", min=0, help=_("Worked examples; the benchmark's own if absent.")),
]
Seed = Annotated[int, typer.Option("--seed", help=_("Draws questions, examples and intervals."))]
Chat = Annotated[bool, typer.Option("--chat", help=_("Apply each model's own chat template."))]
Out = Annotated[
    Path | None, typer.Option("--out", help=_("Folder of the record; the same goes on."))
]
Download = Annotated[
    bool, typer.Option("--download", help=_("Fetch the data of an lm-eval task from the hub."))
]
Vllm = Annotated[
    bool, typer.Option("--vllm", help=_("Run base models under vLLM instead of transformers."))
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help=_("Only say what would be asked; load no weights."))
]
EXAMPLE = "eval gemma-3-270m smollm2-135m --tasks drcd --data DRCD_dev.json --limit 200"


@app.command(
    "eval",
    help=with_example(_("Ask models the same questions and compare their answers."), EXAMPLE),
)
def run(
    context: typer.Context,
    models: Models,
    tasks: Tasks = None,
    data: Data = None,
    limit: Limit = None,
    batch_size: BatchSize = 8,
    few_shot: FewShot = None,
    seed: Seed = 0,
    chat: Chat = False,
    out: Out = None,
    download: Download = False,
    vllm: Vllm = False,
    dry_run: DryRun = False,
    json: Json = False,
    events: Streams = False,
) -> None:
    """Ask; answers that are on disk from the same command are kept."""
    if events:
        refuse_documents({"--json": json, "--dry-run": dry_run})
    from foundry.delivery import asked
    from foundry.evals.benchmark import Wanted

    wanted = Wanted(limit, few_shot, seed, chat)
    if tasks is None:
        order = asked.own_tests(models, data, wanted, is_vllm=vllm)
    else:
        names = [name.strip() for name in tasks.split(",") if name.strip()]
        order = asked.benchmarks(models, names, data, wanted, download=download, is_vllm=vllm)
    if dry_run:
        _dry_run(order, as_json=json)
        return
    folder = out or order.folder
    made = _ask(order, folder, batch_size, seed, context.obj)
    if json:
        print_json({"folder": str(folder), "reports": made})
        return
    for report in made:
        _print_report(report)


def _ask(
    order: "Order", folder: Path, batch_size: int, seed: int, events: Events
) -> list[dict[str, Any]]:
    """Evaluate; each report with its place."""
    from foundry.cli.progress.shown import shown
    from foundry.core.rundir import RunDir
    from foundry.evals.benchmarking import Bench

    with shown() as listener, events.heard_by(listener):
        paths = order.run(Bench(RunDir(folder), events, batch_size, seed))
    return [_document(path) for path in paths]


def _document(path: Path) -> dict[str, Any]:
    """What is printed of a report; the whole lies in its file."""
    report = json_format.loads(path.read_text(encoding="utf-8"))
    keys = ("title", "headlines", "parts", "metrics", "scores", "differences")
    columns = [
        {k: v for k, v in column.items() if k in ("name", "role", "seconds", "same_text_as_tuned")}
        | {"settings": column.get("settings", {})}
        for column in report["columns"]
    ]
    return {
        "task": path.parent.name,
        "report": str(path),
        "page": str(path.with_suffix(".html")),
        **{key: report[key] for key in keys},
        "columns": columns,
    }


def _dry_run(order: "Order", *, as_json: bool) -> None:
    from foundry.evals.benchmarking import look

    found = look(order.subjects, order.tasks)
    if as_json:
        print_json({"asked": found})
        return
    head = [_("task"), _("model"), _("runtime"), _("questions"), _("longest prompt"), _("tokens")]
    keys = ("task", "model", "runtime", "items", "longest_prompt_tokens", "prompt_tokens")
    print_table(head, [[str(one[key]) for key in keys] for one in found])


def _print_report(report: Mapping[str, Any]) -> None:
    """A table of scores with a column per model, the seconds, what it says, and where it lies."""
    columns = [column["name"] for column in report["columns"]]
    rows = [
        [metric, part, *(_cell(report["scores"], metric, part, column) for column in columns)]
        for metric, part in dict.fromkeys((s["metric"], s["part"]) for s in report["scores"])
    ]
    rows += _perplexities(report["scores"], columns)
    seconds = [f"{column['seconds']:.1f}" for column in report["columns"]]
    print_table([_("metric"), _("part"), *columns], [*rows, [_("seconds"), "", *seconds]])
    shown = tag()
    for sentence in report["headlines"]:
        print(sentence[shown])
    _print_lost([one for one in report["differences"] if one["kind"] == "delivered-tuned"])
    print(_("report: {path}").format(path=report["page"]))


def _print_lost(differences: Sequence[Mapping[str, Any]]) -> None:
    """How far each delivered file is from the model that it was made of."""
    from foundry.cli.compare_text import difference, verdict

    rows = [
        [
            *(one["metric"], one["part"] or _("all"), f"{one['a']} − {one['b']}"),
            *(difference(one), str(one["n"]), verdict(one)),
        ]
        for one in differences
    ]
    if rows:
        head = [_("metric"), _("part"), _("model"), _("difference"), _("questions"), _("verdict")]
        print_table(head, rows)


def _cell(scores: Sequence[Mapping[str, Any]], metric: str, part: str, column: str) -> str:
    place = (metric, part, column)
    for score in scores:
        is_here = (score["metric"], score["part"], score["column"]) == place
        if is_here and score["mean"] is not None:
            low, high = score["low"], score["high"]
            return f"{score['mean']:.3f} [{low:.3f}, {high:.3f}] n={score['n']}"
    return "-"


def _perplexities(scores: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[str]]:
    """Likelihoods once more as the perplexities that people know."""
    names = {
        "likelihood-per-token": _("perplexity per token"),
        "likelihood-per-byte": _("perplexity per byte"),
    }
    found = {(s["metric"], s["part"], s["column"]): s["mean"] for s in scores if s["mean"]}
    return [
        [name, part, *(_inverse(found.get((metric, part, column))) for column in columns)]
        for metric, name in names.items()
        for part in dict.fromkeys(s["part"] for s in scores if s["metric"] == metric)
    ]


def _inverse(value: float | None) -> str:
    return "-" if not value else f"{1 / value:.3f}"
