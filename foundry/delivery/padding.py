"""What a reward model's rows are filled up with, which must never be what a conversation ends with.

transformers reads the reward at the last id that is not the padding id: where a tokenizer has none
it refuses two rows at once, and where the padding is the end of an answer, as with many tokenizers,
it reads one token too early (transformers 5.24, `GenericForSequenceClassification.forward`).
"""

from collections.abc import Collection, Sequence
from typing import Any

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.records import EncodedRow
from foundry.encode.tokenize import Encoder
from foundry.models.load import control_tokens
from foundry.train.gives import gives_reward


def padding_of(
    trainer: str, rows: Sequence[EncodedRow], encoder: Encoder, stop_ids: Sequence[int]
) -> str | None:
    """What a reward model is filled up with; None of a trainer that makes none.

    Args:
        trainer: Its kind.
        rows: The training rows.
        encoder: Of the base.
        stop_ids: Every id that ends an answer.
    """
    if not gives_reward(trainer):
        return None
    ends = {side[-1] for row in rows for side in (row.input_ids, row.rejected_input_ids)}
    return padding_token(encoder.tokenizer, {*ends, *stop_ids})


def padding_token(tokenizer: Any, ends: Collection[int]) -> str:
    """The tokenizer's own padding where no conversation ends with it, else another control token.

    Args:
        tokenizer: Of the base.
        ends: The last ids of conversations.

    Raises:
        ProofError: Every control token ends a conversation.
    """
    control = control_tokens(tokenizer)
    named = (tokenizer.pad_token, tokenizer.unk_token, tokenizer.bos_token)
    for token in (*named, *sorted(control, key=control.__getitem__)):
        if token is not None and tokenizer.convert_tokens_to_ids(token) not in ends:
            return str(token)
    what = _("every control token of the tokenizer ends a conversation, so that none can fill up")
    raise ProofError(Problem("tokenizer", what, _("choose another base model")))
