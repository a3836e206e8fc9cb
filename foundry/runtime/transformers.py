"""Runtime over a transformers model in this process; batched with left padding (C26)."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch

from foundry.models.products import quick_products
from foundry.models.quiet import quiet
from foundry.runtime.contract import Decoding, Generation, LogLikelihood, cut
from foundry.runtime.few_rows import few_rows_fast
from foundry.runtime.leaving import answers
from foundry.runtime.likelihood import Scored, batches, scored_batch
from foundry.runtime.shared_prefix import SharedPrefix, has_plain_keys, turns_by_length

BATCH_SIZE = 32


class TransformersRuntime:
    """A causal language model with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = BATCH_SIZE) -> None:
        self.name = "transformers"
        self.tokens_at_once = None
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def tokens(self, text: str) -> list[int]:
        """See `Runtime.tokens`."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        decoding: Decoding,
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """See `Runtime.generate`; prompts of like length share a batch, all what they begin with.

        The longest come first, so that memory that does not suffice is found out at once.

        Args:
            prompts: Ids of each prompt, none empty.
            decoding: How to continue.
            on_batch: Told after each batch how many prompts are done.
        """
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        results: dict[int, Generation] = {}
        shared = self._shared(prompts)
        size = self._size(max(map(len, prompts), default=0) + decoding.max_new_tokens)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            made = self._generate_batch([prompts[i] for i in batch], decoding, shared)
            results.update(zip(batch, made, strict=True))
            if on_batch is not None:
                on_batch(len(results))
        return [results[i] for i in range(len(prompts))]

    def _device(self) -> torch.device:
        found: torch.device = self.model.get_input_embeddings().weight.device
        return found

    def _quick(self) -> AbstractContextManager[None]:
        return quick_products(self._device().type)

    def _size(self, longest: int) -> int:
        """How many rows share a batch: one where a long one would have the others read as long."""
        config = self.model.config.get_text_config(decoder=True)
        is_other = any(longest > length for length in turns_by_length(config))
        return 1 if is_other else self.batch_size

    @torch.no_grad()
    def _shared(self, prompts: Sequence[Sequence[int]]) -> SharedPrefix | None:
        with self._quick(), few_rows_fast(self.model):
            return SharedPrefix.read(self.model, prompts)

    @torch.no_grad()
    def _generate_batch(
        self, prompts: Sequence[Sequence[int]], decoding: Decoding, shared: SharedPrefix | None
    ) -> list[Generation]:
        pad = decoding.stop_ids[0] if decoding.stop_ids else 0
        ids_BT, mask_BT = padded_left(prompts, pad)
        with quiet(), self._quick(), few_rows_fast(self.model):
            made = answers(
                self.model,
                ids_BT,
                mask_BT,
                most=decoding.max_new_tokens,
                ended=partial(self._ended, decoding=decoding),
                cache=self._cache(prompts, shared),
                eos_token_id=list(decoding.stop_ids) or None,
                pad_token_id=pad,
            )
        return [self._result(ids, decoding) for ids in made]

    def _cache(self, prompts: Sequence[Sequence[int]], shared: SharedPrefix | None) -> Any:
        """What has been read of `prompts`; None where no row may leave the batch."""
        if shared is not None:
            width = max(map(len, prompts))
            return shared.cache([width - len(prompt) for prompt in prompts])
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config) if has_plain_keys(self.model) else None

    def _ended(self, new_BT: torch.Tensor, decoding: Decoding) -> torch.Tensor:
        """Which rows have a stop id or a stop string; (B,), bool."""
        done_B = torch.isin(new_BT, torch.tensor(decoding.stop_ids, dtype=new_BT.dtype)).any(dim=1)
        if decoding.stop_strings:
            texts = self.tokenizer.batch_decode(new_BT)
            done_B |= torch.tensor([cut(text, decoding.stop_strings)[1] for text in texts])
        return done_B

    def _result(self, ids: list[int], decoding: Decoding) -> Generation:
        stop = next((n for n, token in enumerate(ids) if token in decoding.stop_ids), None)
        kept = ids if stop is None else ids[: stop + 1]
        body = kept if stop is None else kept[:-1]
        text, by_string = cut(
            self.tokenizer.decode(body, skip_special_tokens=True), decoding.stop_strings
        )
        if by_string:  # what follows in a batch is padding, which looks like a stop id
            kept = body[: self._until(body, decoding)]
        return Generation(tuple(kept), text, stop is not None or by_string)

    def _until(self, ids: list[int], decoding: Decoding) -> int:
        """How many of `ids` it takes for a stop string to be in their text."""
        texts = (self.tokenizer.decode(ids[:n]) for n in range(1, len(ids) + 1))
        found = (n for n, text in enumerate(texts, 1) if cut(text, decoding.stop_strings)[1])
        return next(found, len(ids))

    @torch.no_grad()
    def next_logprobs(
        self, prefixes: Sequence[Sequence[int]], top_n: int
    ) -> list[dict[int, float]]:
        """See `Runtime.next_logprobs`; each prefix alone, so padding cannot matter."""
        results = []
        for prefix in prefixes:
            ids_1T = torch.tensor([list(prefix)], device=self._device())
            with self._quick():
                out = self.model(input_ids=ids_1T, logits_to_keep=1, use_cache=False)
            logprobs_V = torch.log_softmax(out.logits[0, -1].float(), dim=-1)
            top = logprobs_V.topk(top_n)
            results.append(dict(zip(top.indices.tolist(), top.values.tolist(), strict=True)))
        return results

    @torch.no_grad()
    def loglikelihoods(
        self,
        prompts: Sequence[Sequence[int]],
        continuations: Sequence[Sequence[int]],
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[LogLikelihood]:
        """See `Runtime.loglikelihoods`; what has the same ids before its last token is read once.

        So is what all prompts begin with.

        Args:
            prompts: Ids of each prompt, none empty.
            continuations: Ids of what follows each, none empty.
            on_batch: Told after each batch how many continuations are done.
        """
        scored = [Scored(tuple(p), tuple(c)) for p, c in zip(prompts, continuations, strict=True)]
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        found: dict[Scored, LogLikelihood] = {}
        with self._quick():
            shared = SharedPrefix.read(self.model, prompts)
        size = self._size(max((len(one.read) + 1 for one in scored), default=0))
        for batch in batches(scored, size=size, vocabulary=vocabulary):
            ids_BT, mask_BT = padded_left([row[0].read for row in batch], 0)
            with self._quick():
                found.update(scored_batch(self.model, ids_BT, mask_BT, batch, shared))
            if on_batch is not None:
                on_batch(sum(one in found for one in scored))
        return [found[one] for one in scored]


def padded_left(prompts: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts as one batch that ends with their last tokens (C26).

    Returns:
        Ids and attention mask, both int64 of shape (prompts, longest prompt); the mask is 0 where
        an id is `pad` because the prompt is shorter.
    """
    width = max(len(prompt) for prompt in prompts)
    ids_BT = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
    mask_BT = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    return ids_BT, mask_BT
