"""The process in which chat templates run: `python -P -m foundry.encode.render_child`.

A template is code that came with a model (cases.md C75). Jinja's sandbox keeps it from reaching
Python, but not from looping for ever or from building a string of 100 MB, so it runs in a process
of its own, with little memory, a clock, and no way to write a file. Frames on stdin and stdout:
eight bytes of length, then that many bytes.

The environment has the settings of transformers' own (`utils/chat_template_utils.py`,
`_compile_jinja_template` at 5.24); a test holds the two equal.
"""

import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, BinaryIO, ClassVar, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from foundry.encode.blind import Blind, LookedError, blinded

LENGTH_BYTES = 8
# Of many answers at once: after each read the parent's thread waits for the others.
BUFFER_BYTES = 1 << 20
OUT_OF_TIME = getattr(signal, "SIGPROF", 0)  # the signal of `start_clock`, which ends a process
TEXT, REFUSED, TOO_LONG, TOO_LARGE = b"t", b"r", b"l", b"m"
MEMORY_BYTES = 256 << 20  # of address space, of which Python and Jinja take 25 MiB
MAX_RENDERED_CHARS = 10_000_000
MAX_REASON_CHARS = 500
MOST_KNOWN = 1024  # attributes whose safety is remembered
# A trained prompt must not change from one day to the next. A template that asks whether there is
# a clock is told that there is none and uses its own date; one that does not ask is told this.
TODAY = date(2026, 1, 1)
CLOCK = "strftime_now"
ASKS_FOR_CLOCK = re.compile(rf"\b{CLOCK}\s+is\s+(?:not\s+)?(?:un)?defined\b")


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end of the stream."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    wanted = int.from_bytes(head, "big")
    body = stream.read(wanted)
    return body if len(body) == wanted else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Write one frame, which `flush` sends off."""
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)


def main() -> None:
    """Answer requests until the parent closes the pipe.

    A request is a JSON object: `template`, `bos_token`, `eos_token`, `seconds`, and `jobs`, each
    with `messages`, `tools`, `views`, and `blind` where the template must not look into the words
    (`encode.blind`); a view is how many messages to render, and whether the generation prompt
    follows. Each view is answered by a frame: `t` and the text, `r` and why the
    template refused, `l` and how many characters it made, or `m` where memory did not suffice.
    """
    limit_itself()
    compiled: dict[Any, Any] = {}
    with open(sys.stdout.fileno(), "wb", buffering=BUFFER_BYTES, closefd=False) as out:
        while (body := read_frame(sys.stdin.buffer)) is not None:
            request = json.loads(body)
            for answer in answers(request, compiled):
                write_frame(out, answer)
            out.flush()


def limit_itself() -> None:
    """Little memory, no files, no core dump; on systems that know such limits."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock and the length of the text remain
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start_clock(seconds: float) -> None:
    """End this process after `seconds` of computing, whatever it is doing; never for 0.

    Computing and not waiting: on a busy machine an honest template must not be taken for a loop.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def answers(request: Mapping[str, Any], compiled: dict[Any, Any]) -> Iterator[bytes]:
    """One answer for each view of each job, in order."""
    for job in request["jobs"]:
        for count, prompt in job["views"]:
            start_clock(request["seconds"])
            yield _answer(request, job, (count, prompt), compiled)
    start_clock(0)


def _answer(
    request: Mapping[str, Any],
    job: Mapping[str, Any],
    view: tuple[int, bool],
    compiled: dict[Any, Any],
) -> bytes:
    try:
        text = rendered(request, job, view, compiled)
        if len(text) > MAX_RENDERED_CHARS:
            return TOO_LONG + str(len(text)).encode()
        return TEXT + text.encode("utf-8")
    except MemoryError:
        return TOO_LARGE
    except Exception as error:  # whatever a stranger's template does
        return REFUSED + str(error)[:MAX_REASON_CHARS].encode("utf-8", "replace")


def rendered(
    request: Mapping[str, Any],
    job: Mapping[str, Any],
    view: tuple[int, bool],
    compiled: dict[Any, Any],
) -> str:
    """The text of one view."""
    key = source, is_blind = request["template"], job["blind"]
    if key not in compiled:
        compiled[key] = _compiled(source, is_blind)
    if compiled[key] is None:
        raise LookedError
    count, prompt = view
    messages = job["messages"][:count]
    text: str = compiled[key].render(
        messages=blinded(messages) if is_blind else messages,
        bos_token=request["bos_token"],
        eos_token=request["eos_token"],
        add_generation_prompt=prompt,
        tools=job["tools"],
        documents=None,
    )
    return text


def _compiled(source: str, is_blind: bool) -> Any:
    """The template; None if it could look into words unseen and must not."""
    made = environment(source, Blindfolded if is_blind else Sandbox)
    try:
        watched = made.blindfold(source) if isinstance(made, Blindfolded) else source
    except LookedError:
        return None
    template = made.from_string(watched)
    # A chain of mappings by itself, which each rendering would copy, an eighth of its time.
    template.globals = dict(template.globals)
    return template


def environment(
    source: str, kind: type[ImmutableSandboxedEnvironment] | None = None
) -> ImmutableSandboxedEnvironment:
    """The sandbox in which the template `source` is compiled."""
    made = (kind or Sandbox)(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    if is_told_date(source):
        made.globals[CLOCK] = TODAY.strftime
    return made


def is_told_date(source: str) -> bool:
    """Whether the template `source` is told `TODAY`; one that asks for a clock is told of none."""
    return CLOCK in source and ASKS_FOR_CLOCK.search(source) is None


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which remembers which attributes of a type are safe.

    Its answer hangs on the type and the name alone, and finding it took a third of the time of a
    template that reads `loop.first` in each turn.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._known: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read the attribute, as the library says."""
        key = type(obj), attr
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:  # names can be made of the data
                self._known.clear()
            self._known[key] = super().is_safe_attribute(obj, attr, value)
        return self._known[key]


class Blindfolded(Blind, Sandbox):
    """The same sandbox, in which a template must not look into the words of a conversation."""


class Generation(Extension):
    """`{% generation %}` marks what the assistant says and changes nothing of the text."""

    tags: ClassVar = {"generation"}

    def parse(self, parser: Any) -> nodes.Scope:
        """The marked statements as a scope of their own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON with every character as it is, unlike Jinja's own filter, which escapes HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def raise_exception(message: str) -> NoReturn:
    """What templates call to refuse a conversation."""
    raise TemplateError(message)


if __name__ == "__main__":
    main()
