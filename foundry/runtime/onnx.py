"""Runtime over an ONNX folder as onnxruntime-genai's model builder writes it, on the processor.

One prompt after the other, so that no padding can matter (C26). Checked with onnxruntime-genai
0.18.0 and onnxruntime 1.32.0 on models of its builder in float32.
"""

import json
from collections.abc import Callable, Sequence
from importlib import util
from pathlib import Path
from typing import Any

from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.runtime.contract import Decoding, Generation, LogLikelihood, cut

CONFIGURATION = "genai_config.json"
# Greedy choice, and nothing beside it, whatever the folder's `search` says; the rest of what the
# builder writes there (0.18, `models/builders/base.py`) is of drawing at random.
GREEDY = {
    **{"do_sample": False, "num_beams": 1, "num_return_sequences": 1},
    **{"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "min_length": 0},
}


class OnnxRuntime:
    """A folder with `genai_config.json`, the graph and the tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ResourceError: onnxruntime-genai is not installed, or cannot load the folder.
        """
        if util.find_spec("onnxruntime_genai") is None:
            what = _("onnxruntime-genai is not installed")
            fix = "pip install 'ai-foundry[onnx]'"
            raise ResourceError(Problem("onnxruntime-genai", what, fix))
        import onnxruntime_genai

        try:
            self.model = onnxruntime_genai.Model(str(folder))
            self.tokenizer = onnxruntime_genai.Tokenizer(self.model)
        except RuntimeError as error:
            what = _("onnxruntime-genai cannot load the folder ({error})").format(error=error)
            raise ResourceError(Problem(folder.name, what, _("export it again"))) from error
        self.name = "onnxruntime-genai"
        self.tokens_at_once = None
        self.context = context_of(folder)

    def tokens(self, text: str) -> list[int]:
        """See `Runtime.tokens`."""
        return [int(token) for token in self.tokenizer.encode(text)]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        decoding: Decoding,
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """See `Runtime.generate`; the folder's own end-of-generation tokens stop it too."""
        made = []
        for prompt in prompts:
            made.append(self._written(prompt, decoding))
            if on_batch is not None:
                on_batch(len(made))
        return made

    def _written(self, prompt: Sequence[int], decoding: Decoding) -> Generation:
        generator = self._read(prompt, decoding.max_new_tokens)
        ids: list[int] = []
        text, stopped = "", False
        while len(ids) < decoding.max_new_tokens and not stopped:
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            is_full = len(ids) + 1 == decoding.max_new_tokens
            is_end = token in decoding.stop_ids or (generator.is_done() and not is_full)
            body = ids if is_end else [*ids, token]
            text, by_string = cut(str(self.tokenizer.decode(body)), decoding.stop_strings)
            ids.append(token)
            stopped = is_end or by_string
        return Generation(tuple(ids), text, stopped)

    def next_logprobs(
        self, prefixes: Sequence[Sequence[int]], top_n: int
    ) -> list[dict[int, float]]:
        """See `Runtime.next_logprobs`."""
        found = []
        for prefix in prefixes:
            logprobs_V = self._logprobs(prefix)[-1]
            top = logprobs_V.argsort()[::-1][:top_n].tolist()
            found.append({token: float(logprobs_V[token]) for token in top})
        return found

    def loglikelihoods(
        self,
        prompts: Sequence[Sequence[int]],
        continuations: Sequence[Sequence[int]],
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[LogLikelihood]:
        """See `Runtime.loglikelihoods`.

        Raises:
            ResourceError: The graph tells logits of the last token alone.
        """
        found = []
        for prompt, continuation in zip(prompts, continuations, strict=True):
            if not prompt or not continuation:
                raise ValueError("neither a prompt nor a continuation may be empty")
            logprobs_TV = self._logprobs([*prompt, *continuation[:-1]])
            if len(logprobs_TV) < len(continuation):
                what = _("the graph tells what it thinks of the last token alone")
                fix = _("export it without `prune_lm_head`")
                raise ResourceError(Problem(self.name, what, fix))
            logprobs_KV = logprobs_TV[-len(continuation) :]
            total = sum(
                float(row_V[token]) for row_V, token in zip(logprobs_KV, continuation, strict=True)
            )
            is_greedy = logprobs_KV.argmax(axis=1).tolist() == list(continuation)
            found.append(LogLikelihood(total, len(continuation), is_greedy))
            if on_batch is not None:
                on_batch(len(found))
        return found

    def _logprobs(self, ids: Sequence[int]) -> Any:
        """Natural logarithms of what may follow each token, float64, shape (tokens, vocabulary)."""
        import numpy

        logits_TV = self._read(ids, 1).get_output("logits")[0].astype(numpy.float64)
        largest_T1 = logits_TV.max(axis=1, keepdims=True)
        total_T1 = numpy.exp(logits_TV - largest_T1).sum(axis=1, keepdims=True)
        return logits_TV - largest_T1 - numpy.log(total_T1)

    def _read(self, ids: Sequence[int], room: int) -> Any:
        """A generator that has read `ids` and may write `room` more."""
        import numpy
        import onnxruntime_genai

        if len(ids) + room > self.context:
            what = _("a prompt with its answer has {longest} tokens, the model reads {most}")
            told = what.format(longest=len(ids) + room, most=self.context)
            raise ResourceError(Problem(self.name, told))
        parameters = onnxruntime_genai.GeneratorParams(self.model)
        parameters.set_search_options(max_length=len(ids) + room, **GREEDY)
        generator = onnxruntime_genai.Generator(self.model, parameters)
        generator.append_tokens(numpy.array(ids, dtype=numpy.int32))
        return generator


def is_onnx(folder: Path) -> bool:
    """Whether the model builder made the folder."""
    return (folder / CONFIGURATION).is_file()


def context_of(folder: Path) -> int:
    """How many tokens the model reads."""
    return int(_model(folder)["context_length"])


def ends_of(folder: Path) -> list[int]:
    """What ends an answer, as the folder declares it."""
    declared = _model(folder)["eos_token_id"]
    return [int(token) for token in (declared if isinstance(declared, list) else [declared])]


def _model(folder: Path) -> dict[str, Any]:
    path = folder / CONFIGURATION
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = _("not a file that onnxruntime-genai's model builder writes")
        raise ResourceError(Problem(str(path), what, _("export it again"))) from error
