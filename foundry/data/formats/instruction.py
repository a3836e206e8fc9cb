"""Format `instruction`: an instruction, perhaps an input, and the output, as in Alpaca.

Earlier exchanges may stand in a column of pairs, `history`, as LLaMA-Factory has it. Every answer
in it is learned too, for the mask supervises each assistant turn.

Source: Taori et al. (2023), "Stanford Alpaca", https://github.com/tatsu-lab/stanford_alpaca;
`history`: https://github.com/hiyouga/LLaMA-Factory, data/README.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from foundry.core.fields import Closed
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.columns import CONTEXT, HISTORY, INPUT, INSTRUCTION, OUTPUT, SYSTEM, Columns
from foundry.data.draft import Draft
from foundry.data.rows import SCALAR, RowError, as_text, is_blank, text_of


class Spec(Closed):
    """Which columns hold what."""

    instruction: str = Field(
        "instruction", min_length=1, description="Column with the instruction."
    )
    input: str | None = Field(
        "input",
        min_length=1,
        description="Column with the text the instruction is about; `null` where there is none.",
    )
    output: str = Field("output", min_length=1, description="Column with the answer to learn.")
    system: str | None = Field(
        None, min_length=1, description="Column with a system text of the row's own."
    )
    history: str | None = Field(
        None,
        min_length=1,
        description="Column with a list of earlier exchanges, each an instruction and an answer.",
    )


def columns(spec: Spec) -> tuple[str, ...]:
    """The columns that the data must have; `input` only where the recipe itself names it."""
    named_input = spec.input if "input" in spec.model_fields_set else None
    wanted = (spec.instruction, spec.output, named_input, spec.system, spec.history)
    return tuple(name for name in wanted if name is not None)


def guess(sample: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Certain if one column is an instruction, one an answer, and all others are accounted for."""
    columns = Columns(sample)
    instruction, output = columns.only(INSTRUCTION), columns.only(OUTPUT)
    optional = {
        "input": columns.named((*INPUT, *CONTEXT)),
        "system": columns.named(SYSTEM),
        "history": columns.named(HISTORY),
    }
    if instruction is None or output is None or any(len(c) > 1 for c in optional.values()):
        return None
    if not all(columns.holds(column, SCALAR) for column in (instruction, output)):
        return None
    named = {field: found[0] for field, found in optional.items() if found}
    if columns.unexplained([instruction, output, *named.values()]):
        return None
    return {"instruction": instruction, **named, "output": output}


def to_draft(row: Mapping[str, Any], spec: Spec) -> Draft:
    """The system text if there is one, the history, the instruction with its input, the output.

    Raises:
        RowError: A column is missing or holds no text, or the history is no list of pairs.
    """
    asked = [text_of(row, spec.instruction)]
    if spec.input is not None:
        asked.append(text_of(row, spec.input, optional=True))
    system = "" if spec.system is None else text_of(row, spec.system, optional=True)
    question = "\n\n".join(text for text in asked if not is_blank(text))
    answer = text_of(row, spec.output)
    turns = *_history(row, spec), Turn("user", question), Turn("assistant", answer)
    return Draft(turns if is_blank(system) else (Turn("system", system), *turns))


def _history(row: Mapping[str, Any], spec: Spec) -> Iterator[Turn]:
    pairs = row.get(spec.history) if spec.history is not None else None
    if pairs is None or pairs == "":
        return
    if not isinstance(pairs, list):
        raise RowError("type", _fault(spec.history))
    for number, pair in enumerate(pairs, start=1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError("type", _fault(spec.history))
        place = f"{spec.history}, {number}"
        yield Turn("user", as_text(pair[0], place))
        yield Turn("assistant", as_text(pair[1], place))


def _fault(field: str | None) -> str:
    what = _("field `{field}`: expected a list of pairs, each an instruction and an answer")
    return what.format(field=field)
