"""Which characters of a rendered conversation are trained: answers, their calls and terminators.

Stock templates carry no generation markers (C04), so the spans come from renderings of prefixes:
the text up to an assistant turn, with the generation prompt, must be a prefix of the text that
ends with the turn; what follows, up to and including the terminator, is supervised. The terminator
is read off the rendered text and never taken from the tokenizer's EOS (C02, C80).

Some templates write a turn otherwise once others follow: Qwen 3 takes the thinking out, gpt-oss
changes the terminator. Such a turn is trained in the rendering in which the model itself would
write it, which is a row of its own.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.encode.render import View

TAIL_SHOWN = 60
PLAIN = re.compile(r"[\w ]*")  # what every way of quoting leaves as it is


class TurnRefusedError(DataError):
    """A template does not let this conversation be trained; others may pass."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(Problem("chat_template", reason))


@dataclass(frozen=True)
class Span:
    """A supervised stretch of text, `start` included, `stop` excluded; ends with `terminator`.

    `turn` is the index of the assistant turn that it holds.
    """

    start: int
    stop: int
    terminator: str
    turn: int = 0


@dataclass(frozen=True)
class Masked:
    """A rendered conversation, up to its last supervised turn, and its supervised spans."""

    text: str
    spans: tuple[Span, ...]


def views(turns: Sequence[Turn], *, last_only: bool = False) -> list[View]:
    """The renderings that `mask` reads: the prompt of each assistant turn, and its end."""
    answers = [n for n, turn in enumerate(turns) if turn.role == "assistant"]
    wanted = answers[-1:] if last_only else answers
    return [view for n in wanted for view in ((n, True), (n + 1, False))]


def mask(
    turns: Sequence[Turn], texts: Mapping[View, str], control: frozenset[str], tail: str = ""
) -> tuple[Masked, ...]:
    """Find the supervised spans of the assistant turns whose `views` are given.

    Args:
        turns: The conversation.
        texts: The renderings that `views` names.
        control: Texts of the tokenizer's control tokens, among them every terminator.
        tail: What the template writes at the end of a document, after the end of its last turn.

    Returns:
        Renderings in the order of the conversation; one, unless the template writes a turn
        otherwise once others follow. Each turn is supervised in exactly one of them.

    Raises:
        TurnRefusedError: The prompt of a turn is no prefix of the text that ends with the turn.
        DataError: No control token follows an assistant turn, so that no stop can be learned.
    """
    made: list[Masked] = []
    answers = [count for count, prompt in texts if prompt]
    for n in sorted(answers, reverse=True):
        until = texts[n + 1, False]
        span = answer_span(turns[n], n, texts[n, True], until, control, tail)
        whole = next((g for g in range(len(made)) if _begins(made[g], until, span)), None)
        if whole is None:
            made.append(Masked(until, (span,)))
        else:
            made[whole] = replace(made[whole], spans=(span, *made[whole].spans))
    return tuple(reversed(made))


def _begins(whole: Masked, until: str, span: Span) -> bool:
    return whole.text.startswith(until[: span.stop])


def answer_span(
    turn: Turn, index: int, prompt: str, until: str, control: frozenset[str], tail: str = ""
) -> Span:
    """The span of the last turn of `until`, which follows `prompt`; raises as `mask` does."""
    if not until.startswith(prompt):
        pairs = zip(prompt, until, strict=False)
        common = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(prompt), len(until)))
        what = _("the template asks for the answer with {prompt!r}, but writes it as {until!r}")
        shown = what.format(prompt=prompt[common:][-TAIL_SHOWN:], until=until[common:][:TAIL_SHOWN])
        raise TurnRefusedError("prompt-not-kept", shown)
    if missing := unwritten(turn, until[len(prompt) :]):
        what = _("the template does not write the call of `{name}` as the row has it")
        raise TurnRefusedError("call-not-written", what.format(name=missing))
    if turn.tool_calls and not writes(turn.content, until[len(prompt) :]):
        what = _("the template writes a call and leaves out the text beside it")
        raise TurnRefusedError("text-not-written", what)
    terminator, stop = _terminator(turn, until, len(prompt), control, tail)
    return Span(len(prompt), stop, terminator, index)


def unwritten(turn: Turn, said: str) -> str | None:
    """The name of a call that is not in the text, or whose texts are not there as they are (C59).

    A template that knows no calls leaves them out; one that encodes arguments twice, or escapes
    Chinese, would teach the model to do so.
    """
    names = Counter(call.name for call in turn.tool_calls)
    for call in turn.tool_calls:
        texts = [v for v in call.arguments.values() if isinstance(v, str) and PLAIN.fullmatch(v)]
        if said.count(call.name) < names[call.name] or any(text not in said for text in texts):
            return call.name
    return None


def writes(content: str, said: str) -> bool:
    """Whether a text holds the words of a turn, thinking within them and white space apart."""
    content = content.strip()
    return content in said or squash(content.split("</think>")[-1]) in squash(said)


def squash(text: str) -> str:
    """Without white space, which templates trim and decoders normalise; `▁` stands for a space."""
    return "".join(text.replace("▁", " ").split())


def _terminator(
    turn: Turn, until: str, start: int, control: frozenset[str], tail: str
) -> tuple[str, int]:
    """The control token that ends the turn, and where it ends.

    It is the first one after the content: Phi 3 writes `<|end|>` and then, at the end of the
    document only, `<|endoftext|>`. Calls are written with control tokens of their own, so that
    after them it is the last one before the document's `tail`.
    """
    content = turn.content.strip()
    is_plain = bool(content) and not turn.tool_calls
    floor = start
    if is_plain and (at := until.find(content, start)) >= 0:
        floor = at + len(content)
    else:
        is_plain = False
    body, terminator, stop = until.rstrip(), "", 0
    if turn.tool_calls:
        body = body.removesuffix(tail).rstrip()
    while found := _last_token(body, control):
        if len(body) - len(found) < floor:
            break
        terminator, stop = found, len(body)
        body = body[: -len(found)].rstrip()
        if not is_plain:
            break
    if not terminator:
        raise _no_terminator(until)
    return terminator, stop


def _last_token(text: str, control: frozenset[str]) -> str:
    """The longest control token with which `text` ends; empty for none."""
    ends = (text[-length:] for length in _lengths(control))
    return next((end for end in ends if end in control), "")


@lru_cache(maxsize=8)
def _lengths(control: frozenset[str]) -> tuple[int, ...]:
    return tuple(sorted({len(token) for token in control if token}, reverse=True))


def _no_terminator(until: str) -> DataError:
    what = _("the template ends no assistant turn with a control token (…{tail})")
    return DataError(
        Problem(
            "chat_template",
            what.format(tail=until[-TAIL_SHOWN:]),
            _("use a template that closes the assistant turn, or the model never stops"),
        )
    )
