"""Runtime over a transformers folder under vLLM, on a GPU.

Written against vLLM's offline API (`LLM.generate` over `TokensPrompt`, `SamplingParams`,
`RequestOutput`, https://docs.vllm.ai/en/stable/api/vllm/); vLLM has no wheel for a processor alone,
and brings its own torch, so it is no extra of ours.
"""

from collections.abc import Callable, Sequence
from importlib import util
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.runtime.contract import Decoding, Generation, LogLikelihood


class VllmRuntime:
    """A causal language model in a folder: a base, or one that was merged."""

    def __init__(self, folder: Path, *, context: int) -> None:
        """Load it.

        Args:
            folder: The model and its tokenizer.
            context: Tokens of a prompt and its answer together.

        Raises:
            ResourceError: vLLM is not installed, or finds no GPU.
        """
        check_installed()
        import vllm

        self.name = "vllm"
        self.tokens_at_once = None
        self.model: Any = vllm.LLM(
            model=str(folder),
            max_model_len=context,
            max_logprobs=-1,  # no limit
            trust_remote_code=False,
            disable_log_stats=True,
        )

    def tokens(self, text: str) -> list[int]:
        """See `Runtime.tokens`."""
        tokenizer = self.model.get_tokenizer()
        return [int(token) for token in tokenizer.encode(text, add_special_tokens=False)]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        decoding: Decoding,
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """See `Runtime.generate`; vLLM makes its own batches."""
        made = self._asked(prompts, **generation_arguments(decoding))
        if on_batch is not None:
            on_batch(len(made))
        return [_generation(one.outputs[0]) for one in made]

    def next_logprobs(
        self, prefixes: Sequence[Sequence[int]], top_n: int
    ) -> list[dict[int, float]]:
        """See `Runtime.next_logprobs`."""
        made = self._asked(prefixes, max_tokens=1, logprobs=top_n)
        return [most_likely(one.outputs[0].logprobs[0], top_n) for one in made]

    def loglikelihoods(
        self,
        prompts: Sequence[Sequence[int]],
        continuations: Sequence[Sequence[int]],
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[LogLikelihood]:
        """See `Runtime.loglikelihoods`; the token that vLLM must write is thrown away."""
        pairs = list(zip(prompts, continuations, strict=True))
        if any(not prompt or not continuation for prompt, continuation in pairs):
            raise ValueError("neither a prompt nor a continuation may be empty")
        texts = [[*prompt, *continuation] for prompt, continuation in pairs]
        made = self._asked(texts, max_tokens=1, prompt_logprobs=1)
        if on_batch is not None:
            on_batch(len(made))
        return [
            likelihood(one.prompt_logprobs[-len(continuation) :], continuation)
            for one, (_prompt, continuation) in zip(made, pairs, strict=True)
        ]

    def _asked(self, prompts: Sequence[Sequence[int]], **arguments: Any) -> list[Any]:
        import vllm

        parameters = vllm.SamplingParams(temperature=0.0, **arguments)
        given = [vllm.TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        return list(self.model.generate(given, parameters, use_tqdm=False))


def check_installed() -> None:
    """Refuse where vLLM is missing.

    Raises:
        ResourceError: It is; says how it is installed.
    """
    if util.find_spec("vllm") is None:
        what = _("vLLM is not installed; it wants an NVIDIA GPU")
        raise ResourceError(Problem("vllm", what, "pip install vllm"))


def generation_arguments(decoding: Decoding) -> dict[str, Any]:
    """The decoding as keys of `SamplingParams`; only what the asker names ends an answer."""
    return {
        "max_tokens": decoding.max_new_tokens,
        "stop": list(decoding.stop_strings),
        "stop_token_ids": list(decoding.stop_ids),
        "ignore_eos": True,
        "skip_special_tokens": True,
    }


def _generation(output: Any) -> Generation:
    """A `CompletionOutput`: its ids have the stop id last, its text has no stop string."""
    return Generation(tuple(output.token_ids), output.text, output.finish_reason == "stop")


def most_likely(found: Any, top_n: int) -> dict[int, float]:
    """Of ids and `Logprob`s the `top_n` first; vLLM adds the id that it drew."""
    ranked = sorted(found.items(), key=lambda pair: -pair[1].logprob)
    return {int(token): float(one.logprob) for token, one in ranked[:top_n]}


def likelihood(found: Sequence[Any], continuation: Sequence[int]) -> LogLikelihood:
    """What `prompt_logprobs=1` tells of a continuation: each of its ids, and the likeliest."""
    chosen = [at[token] for at, token in zip(found, continuation, strict=True)]
    is_greedy = all(
        one.logprob >= max(other.logprob for other in at.values())
        for at, one in zip(found, chosen, strict=True)
    )
    return LogLikelihood(sum(float(one.logprob) for one in chosen), len(chosen), is_greedy)
