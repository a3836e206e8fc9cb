"""Masked texts -> ids and labels, decided by position and never by id (C01).

Text is tokenised whole and without the tokenizer's own special tokens, since the template writes
the BOS (C09). A token that straddles the seam between prompt and answer counts as answer (C06).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from foundry.core.errors import DataError
from foundry.core.records import BaseModel, Turn
from foundry.encode.clock import with_one_date
from foundry.encode.mask import Masked, Span
from foundry.encode.render import Template, render
from foundry.encode.render_child import TODAY, is_told_date
from foundry.encode.system import led_by, with_system_turns
from foundry.encode.tools import with_tool_turns
from foundry.models.load import chat_template, control_tokens, own_bos
from foundry.models.tokenizer import load_tokenizer

IGNORED = -100


@dataclass(frozen=True)
class Encoder:
    """A tokenizer with the chat template that all stages share.

    `bos_id` is None where texts begin without one; `special` maps control tokens to their ids;
    `system` is put before each conversation that has no system turn of its own; `date` is what a
    template that writes today's date is told, as ISO 8601; None for a template that is told none.
    """

    tokenizer: Any
    template: str
    bos_token: str
    eos_token: str
    bos_id: int | None
    special: dict[str, int]
    system: str | None = None
    date: str | None = None

    @cached_property
    def template_sha256(self) -> str:
        """The hash of the template's UTF-8, as of a file that holds it."""
        return hashlib.sha256(self.template.encode("utf-8")).hexdigest()

    @cached_property
    def control(self) -> frozenset[str]:
        """The texts of the control tokens."""
        return frozenset(self.special)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """The ids of the control tokens."""
        return frozenset(self.special.values())

    @cached_property
    def turning(self) -> frozenset[str]:
        """Those that open or end a turn or a text: what the template writes, BOS, EOS and pad.

        Others that are flagged special, such as `<unk>` or SmolLM2's `<filename>`, are words.
        """
        named = {self.bos_token, self.eos_token, getattr(self.tokenizer, "pad_token", None)}
        sample = _sample(self)
        return frozenset(t for t in self.special if t in named or t in self.template or t in sample)

    @cached_property
    def backend(self) -> Any:
        """The tokenizer itself, which takes many texts at once; it neither cuts nor pads."""
        made = self.tokenizer.backend_tokenizer
        made.no_truncation()
        made.no_padding()
        return made

    @property
    def chat(self) -> Template:
        """The template with the tokens that it writes by name."""
        return Template(self.template, self.bos_token, self.eos_token)

    def with_system(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """`turns` with the recipe's system text in front, unless they have one of their own."""
        return led_by(turns, self.system)

    def render(
        self,
        turns: Sequence[Turn],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        add_generation_prompt: bool = False,
    ) -> str:
        """The conversation as text; see `encode.render`."""
        return render(
            self.with_system(turns),
            self.template,
            bos_token=self.bos_token,
            eos_token=self.eos_token,
            add_generation_prompt=add_generation_prompt,
            tools=tools,
        )

    def prompt_ids(
        self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """The ids from which the model goes on with its answer; the BOS once at the head.

        The tools that the conversation offers are said as in training (C59).
        """
        return self.ids(self.render(turns, tools, add_generation_prompt=True))

    def ids(self, text: str) -> list[int]:
        """`text` as ids, with the model's BOS once at the head whether the text has it or not."""
        return self.once_bos(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def once_bos(self, ids: Sequence[int]) -> list[int]:
        """`ids` with the BOS in front if the model has one and it is not there yet (C09)."""
        missing = self.bos_id is not None and list(ids[:1]) != [self.bos_id]
        return [self.bos_id, *ids] if missing else list(ids)  # type: ignore[list-item]

    def pieces(self, masked: Sequence[Masked]) -> list["Piece"]:
        """Masked texts as ids and labels, all at once, which uses every processor core."""
        made = self.backend.encode_batch([one.text for one in masked], add_special_tokens=False)
        return [self._piece(one, tokens) for one, tokens in zip(masked, made, strict=True)]

    def _piece(self, masked: Masked, tokens: Any) -> "Piece":
        own = tokens.ids
        ids = self.once_bos(own)
        added = len(ids) - len(own)
        return Piece(
            masked=masked,
            ids=tuple(ids),
            labels=(*[IGNORED] * added, *supervise(own, tokens, masked, self.control_ids)),
            stops=tuple(self.special[span.terminator] for span in masked.spans),
            tokens=tokens,
            added=added,
        )


def _sample(encoder: Encoder) -> str:
    """A short conversation as the template writes it; empty for one that takes none like it.

    Some templates put a control token together from the name of a role.
    """
    turns = [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")]
    named = {"bos_token": encoder.bos_token, "eos_token": encoder.eos_token}
    try:
        return render(turns, encoder.template, **named)
    except DataError:
        return ""


@dataclass(frozen=True)
class Piece:
    """A masked text as ids and labels, with the stop id of each of its spans.

    `tokens` is the tokenizer's own record, which knows where in the text a token lies; `added`
    ids (the BOS) stand before the text's own, of which `first` is the first one here.
    """

    masked: Masked
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    stops: tuple[int, ...]
    tokens: Any
    added: int
    first: int = 0

    def place(self, token: int) -> tuple[int, int]:
        """The characters of the text, from and to, of which a token is made."""
        if token < self.added:
            return 0, 0
        return self.tokens.token_to_chars(self.first + token - self.added) or (0, 0)

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The runs of supervised positions, from and to, in order."""
        return tuple(runs(self.labels))

    @property
    def supervised(self) -> int:
        """Positions on which a loss is taken."""
        return sum(stop - start for start, stop in self.runs)

    @property
    def supervised_stops(self) -> list[int]:
        """The stop ids that stand at the end of a supervised run, in order."""
        ends = [self.labels[stop - 1] for _start, stop in self.runs]
        return [end for end, stop in zip(ends, self.stops, strict=False) if end == stop]

    @property
    def straddling(self) -> int:
        """Spans whose first token begins before them."""
        pairs = zip(self.runs, self.masked.spans, strict=False)
        return sum(self.place(start)[0] < span.start for (start, _stop), span in pairs)


def supervise(
    ids: Sequence[int], tokens: Any, masked: Masked, control: Set[int] = frozenset()
) -> list[int]:
    """Labels: the id where a token has a character in a supervised span, else `IGNORED`.

    A token of `control` that begins before a span is the prompt's also where it takes white space
    of the answer with it, as Phi-3's `<|assistant|>` does (`rstrip` of `tokenizer.json`).
    """
    labels = [IGNORED] * len(ids)
    for span in masked.spans:
        first, last = first_token(tokens, span), last_token(tokens, span)
        if first is not None and ids[first] in control:
            first += tokens.token_to_chars(first)[0] < span.start
        if first is not None and last is not None:
            labels[first : last + 1] = ids[first : last + 1]
    return labels


def runs(labels: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The runs of labels that are not `IGNORED`, from and to, in order."""
    marks = bytes(map(IGNORED.__ne__, labels))
    start = marks.find(1)
    while start >= 0:
        stop = marks.find(0, start) % (len(marks) + 1)
        yield start, stop
        start = marks.find(1, stop)


def first_token(tokens: Any, span: Span) -> int | None:
    """The first token with a character in the span; normalisers drop some characters."""
    for at in range(span.start, span.stop):
        token: int | None = tokens.char_to_token(at)
        if token is not None:
            return token
    return None


def last_token(tokens: Any, span: Span) -> int | None:
    """The last token with a character in the span, which is its terminator."""
    for at in range(span.stop - 1, span.start - 1, -1):
        token: int | None = tokens.char_to_token(at)
        if token is not None:
            return token
    return None


def open_encoder(base: BaseModel, system: str | None = None) -> Encoder:
    """The encoder of a base model; loads the tokenizer and no weights."""
    tokenizer = load_tokenizer(base)
    return encoder_of(tokenizer, chat_template(base, tokenizer), system)


def encoder_of(tokenizer: Any, template: str, system: str | None = None) -> Encoder:
    """The encoder of a fast tokenizer and a template.

    The template is told one date, see `encode.clock`; what it has no place for is said by a
    prelude, see `encode.system` and `encode.tools`.
    """
    bos_token, eos_token = tokenizer.bos_token or "", tokenizer.eos_token or ""
    date = TODAY.isoformat() if is_told_date(template) else None
    template = with_system_turns(with_one_date(template), bos_token, eos_token)
    return Encoder(
        tokenizer=tokenizer,
        template=with_tool_turns(template, bos_token, eos_token),
        bos_token=bos_token,
        eos_token=eos_token,
        bos_id=own_bos(tokenizer),
        special=control_tokens(tokenizer),
        system=system,
        date=date,
    )
