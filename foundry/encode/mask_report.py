"""The mask report: what will be trained, counted and shown before step 1, and refused if wrong.

Gate 1 of `cases.md` §1b. Every count is taken from the ids and labels that training will read, not
from the texts they were made of. It holds counts and a few samples, never the rows.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Refusal
from foundry.encode.system import FOLD
from foundry.encode.tally import OVER_LENGTH, Tally
from foundry.encode.tokenize import Encoder
from foundry.encode.tools import AS_TEXT

NAMED = 20  # rows named for each reason, and faults told at once
# See `encode.mask`.
BY_TEMPLATE = {"template-refused", "prompt-not-kept", "call-not-written", "text-not-written"}


@dataclass
class MaskReport(Tally):
    """Counts over the encoded rows of one part of the data; see `Tally`.

    `named` holds the first refusals of each code, `listing` is a stream for all of them.
    """

    encoder: Encoder
    part: str = "train"
    listing: TextIO | None = None
    named: list[Refusal] = field(default_factory=list)

    def drop(self, refusal: Refusal) -> None:
        """Count what is not trained, and write it to `listing`; only the first ones are kept."""
        self.dropped[refusal.code] += 1
        if self.listing is not None:
            self.listing.write(json.dumps(refusal.as_dict(), ensure_ascii=False) + "\n")
        if self.dropped[refusal.code] <= NAMED:
            self.named.append(refusal)

    @property
    def refused(self) -> int:
        """Examples that the template or the tokens of the answers refuse; not those too long."""
        return self.dropped.total() - self.dropped[OVER_LENGTH]

    def check(self, *, overlong: str, max_refused: float = 0.0) -> None:
        """Refuse to go on.

        Raises:
            DataError: A row has nothing or everything supervised, a wrong number of BOS, or an
                assistant turn whose stop id is not supervised; more than `max_refused` (0 to 1) of
                the examples are refused; no row is left; rows are too long and the recipe says
                `overlong: fail`.
        """
        problems = list(self.faults)
        if self.refused > max_refused * self.examples:
            problems += self._too_many_refused(max_refused)
        if overlong == "fail":
            fix = _("raise `encode.max_seq_len`")
            problems += [
                Problem(f"{r.source}:{r.line}", r.reason, fix)
                for r in self.named
                if r.code == OVER_LENGTH
            ]
        if not self.rows and not problems:
            problems = self._nothing_left()
        if problems:
            raise DataError(problems)

    def _too_many_refused(self, limit: float) -> list[Problem]:
        what = _(
            "{refused} of {rows} rows cannot be trained, more than `max_refused: {limit}` allows"
        )
        found = what.format(refused=self.refused, rows=self.examples, limit=limit)
        return self._refusals(found, _("correct the rows listed here, or raise `data.max_refused`"))

    def _nothing_left(self) -> list[Problem]:
        dropped = self.dropped[OVER_LENGTH]
        if not self.refused:
            what = _("no row is left to train on ({dropped} over the length limit)")
            fix = _("raise `encode.max_seq_len` or shorten the rows")
            return [Problem("encode", what.format(dropped=dropped), fix)]
        what = _("no row is left to train on ({refused} refused, {dropped} over the length limit)")
        return self._refusals(what.format(refused=self.refused, dropped=dropped))

    def _refusals(self, what: str, fix: str | None = None) -> list[Problem]:
        """`what`, and the first refused rows of each reason; `fix` helps where a row is left."""
        where = "encode"
        if not self.rows:
            fix = _("correct the rows listed here")
            if set(self.dropped) <= BY_TEMPLATE:  # it takes no row at all
                where = "chat_template"
                fix = _("correct the rows listed here, or use a base model with another template")
        shown = (r for r in self.named if r.code != OVER_LENGTH)
        return [
            Problem(where, what, fix),
            *(Problem(f"{r.source}:{r.line}", r.reason) for r in shown),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The report as `mask_report.json` holds it."""
        tokenizer = self.encoder.tokenizer
        return {
            "type": self.type,
            "examples": self.examples,
            "rows": self.rows,
            "dropped": dict(sorted(self.dropped.items())),
            "dropped_rows": [refusal.as_dict() for refusal in self.named],
            "over_limit": asdict(self.over),
            "split_turns": {"conversations": self.split_conversations, "rows": self.split_rows},
            "tokens": self.tokens,
            "supervised_tokens": self.supervised,
            "supervised_share": round(self.supervised / self.tokens, 4) if self.tokens else 0.0,
            "assistant_turns": self.turns,
            "stops_supervised": {str(k): v for k, v in sorted(self.stops.items())},
            "stop_texts": {str(k): tokenizer.decode([k]) for k in sorted(self.stops)},
            "bos_per_row": 0 if self.encoder.bos_id is None else 1,
            "rows_with_merged_seam": self.straddling,
            "left_out_by_template": dict(sorted(self.lost.items())),
            "added_by_template": dict(self.added.most_common()),
            "longest": self.longest,
            "template": self._template(),
            "length_histogram": {str(k): v for k, v in sorted(self.lengths.items())},
            "samples": self.samples.as_list(tokenizer),
        }

    def _template(self) -> dict[str, Any]:
        """The template's hash, and by what policy it says what it has no place for."""
        template = self.encoder.template
        return {
            "sha256": self.encoder.template_sha256,
            "system_text": self.encoder.system,
            "system_turns": "folded" if FOLD in template else "own",
            "tools": "as_text" if AS_TEXT in template else "own",
            "date": self.encoder.date,
        }
