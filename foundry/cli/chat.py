"""`foundry chat`: ask a package; answers on stdout, everything else on stderr."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from foundry.cli.options import Package
from foundry.cli.output import Json, note, print_json, verb_app, with_example
from foundry.core.language import gettext as _
from foundry.core.records import Turn

if TYPE_CHECKING:
    from foundry.delivery.conversation import Reply, Speaker

app = verb_app(_("Ask a package."))

Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        help=_("The question. Without it: a conversation in a terminal, else a question per line."),
    ),
]
Context = Annotated[
    str | None, typer.Option("--context", help=_("Facts to answer from, such as a product sheet."))
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, help=_("Longest answer; as evaluated where absent.")),
]
EXAMPLE = "chat retail-customer-service --prompt 請問電風扇保固多久？"


@app.command(
    "chat",
    help=with_example(_("Ask a package."), EXAMPLE),
)
def chat(
    package: Package,
    prompt: Prompt = None,
    context: Context = None,
    max_new_tokens: MaxNewTokens = None,
    json: Json = False,
) -> None:
    """Answer one question, each line of stdin, or a person at a terminal."""
    from foundry.delivery.conversation import open_package
    from foundry.delivery.locate import find_package

    folder = find_package(package)
    with open_package(folder) as speaker:
        if prompt is None and not json and sys.stdin.isatty():
            _converse(speaker, context, max_new_tokens)
            return
        questions = iter([prompt]) if prompt is not None else _lines()
        replies = (
            speaker.answer([speaker.question(text, context)], max_new_tokens) for text in questions
        )
        if json:
            answers = [reply.as_dict() for reply in replies]
            print_json({"package": str(folder), "answers": answers})
            return
        for reply in replies:
            _print(reply, one_line=prompt is None)


def _lines() -> Iterator[str]:
    return (line.strip() for line in sys.stdin if line.strip())


def _converse(speaker: "Speaker", context: str | None, max_new_tokens: int | None) -> None:
    """Talk until the end of input; earlier turns are remembered, the facts stand in the first."""
    note(_("Ask, and end with Ctrl-D."))
    turns: list[Turn] = []
    while True:
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            note("")
            return
        if not line.strip():
            continue
        turns.append(speaker.question(line.strip(), context if not turns else None))
        reply = speaker.answer(turns, max_new_tokens)
        turns.append(Turn("assistant", reply.answer))
        _print(reply)


def _print(reply: "Reply", *, one_line: bool = False) -> None:
    print(" ".join(reply.answer.split()) if one_line else reply.answer, flush=True)
    if not reply.stopped:
        note(_("(cut off after {count} tokens)").format(count=reply.tokens))
