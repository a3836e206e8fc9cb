"""Which characters of a rendered conversation are trained: assistant contents and terminators.

Stock templates carry no generation markers (C04), so the spans come from rendering each prefix:
the text up to an assistant turn, with the generation prompt, must be a prefix of the whole; what
follows, up to and including the terminator, is supervised. The terminator is read off the
rendered text and never taken from the tokenizer's EOS (C02, C80).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Turn

TAIL_SHOWN = 60

Renderer = Callable[..., str]


@dataclass(frozen=True)
class Span:
    """A supervised stretch of text, `start` included, `stop` excluded; ends with `terminator`."""

    start: int
    stop: int
    terminator: str


@dataclass(frozen=True)
class Masked:
    """A rendered conversation and its supervised spans, in order."""

    text: str
    spans: tuple[Span, ...]


def mask(turns: Sequence[Turn], render: Renderer, special_tokens: Collection[str]) -> Masked:
    """Render `turns` and find the supervised spans, one for each assistant turn.

    Args:
        turns: The conversation; ends with an assistant turn.
        render: `render(turns, add_generation_prompt=...)` through the model's template.
        special_tokens: Texts of the tokenizer's control tokens, among them every terminator.

    Raises:
        DataError: The template changes earlier turns, so that a prefix is no prefix of the whole,
            or it writes no control token after an assistant turn, so that no stop can be learned.
    """
    text = render(turns)
    spans = []
    for index, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        prefix = render(turns[:index], add_generation_prompt=True)
        until = render(turns[: index + 1])
        _check_prefix(text, until, prefix)
        terminator, stop = _terminator(until, len(prefix), special_tokens)
        spans.append(Span(len(prefix), stop, terminator))
    return Masked(text, tuple(spans))


def _check_prefix(text: str, until: str, prefix: str) -> None:
    if until.startswith(prefix) and text.startswith(until.rstrip()):
        return
    what = _("the template renders an earlier turn differently once a turn follows (…{tail})")
    raise DataError(
        Problem(
            "chat_template",
            what.format(tail=prefix[-TAIL_SHOWN:]),
            _("use a template whose turns do not depend on later ones"),
        )
    )


def _terminator(until: str, start: int, special_tokens: Collection[str]) -> tuple[str, int]:
    body = until.rstrip()
    found = max((t for t in special_tokens if t and body.endswith(t)), key=len, default="")
    if not found or len(body) - len(found) < start:
        what = _("the template ends no assistant turn with a control token (…{tail})")
        raise DataError(
            Problem(
                "chat_template",
                what.format(tail=until[-TAIL_SHOWN:]),
                _("use a template that closes the assistant turn, or the model never stops"),
            )
        )
    return found, len(body)
