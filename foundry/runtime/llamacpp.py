"""Runtime over a GGUF file: llama.cpp's own server inside this process, on a Unix socket.

A socket in a folder of our own needs no network interface, not even the loopback one (`unshare -n`
leaves it down), and no other user of the machine can ask it. Windows gets the loopback address.
`/completion` takes token ids, so that both runtimes continue exactly the same prompt; it answers
with ids and log-probabilities of the most likely ids (engines.md 14).
"""

import http.client
import json
import math
import shutil
import socket
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from foundry.core.environment import cores
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.runtime.contract import Decoding, Generation, LogLikelihood, cut

EVERY_TOKEN = 1 << 20  # more than any vocabulary has


class LlamaCppRuntime:
    """A GGUF model, optionally with a GGUF adapter; use it as a context manager."""

    def __init__(
        self, gguf: Path, lora: Path | None = None, *, slots: int = 8, context: int = 1024
    ) -> None:
        """Load the file.

        Args:
            gguf: The model.
            lora: An adapter for it, applied at scale 1.
            slots: How many prompts are worked on at once.
            context: Tokens for each of them, prompt and answer together.

        Raises:
            ResourceError: llama.cpp cannot load the file.
        """
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(gguf)
        parameters.n_ctx = slots * context
        parameters.n_parallel = slots
        parameters.n_gpu_layers = 0
        parameters.swa_full = True  # otherwise a shared prompt is computed anew for each question
        parameters.fit_params = False
        parameters.verbosity = -1
        parameters.endpoint_props = True
        parameters.cpuparams.n_threads = cores()
        if lora is not None:
            parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        self.name = "llama.cpp"
        self.tokens_at_once = 1
        self.slots = slots
        self._open: set[http.client.HTTPConnection] = set()
        folder = tempfile.mkdtemp(prefix="foundry-")
        self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        if sys.platform != "win32":
            parameters.hostnames = [str(Path(folder, "llama.sock"))]
        try:
            self._server: Any = xllamacpp.Server(parameters)
        except (RuntimeError, ValueError) as error:
            self._remove_folder()
            what = _("llama.cpp cannot load the file ({error})").format(error=error)
            raise ResourceError(Problem(gguf.name, what, _("export it again"))) from error
        self._address = urlsplit(self._server.listening_address)
        # A server that is closed before its two loops, for requests and for tokens, have begun
        # never ends (xllamacpp 2026.10.11549). One token makes sure that both run.
        self._post("/completion", {"prompt": "a", "n_predict": 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server = None
        self._remove_folder()

    def tokens(self, text: str) -> list[int]:
        """See `Runtime.tokens`."""
        body = {"content": text, "add_special": False, "parse_special": True}
        return [int(token) for token in self._post("/tokenize", body)["tokens"]]

    def special_ids(self) -> tuple[int | None, int | None]:
        """The id that a text begins with and the one that ends it; None where there is none."""
        plain = self._post("/tokenize", {"content": "a", "add_special": False})["tokens"]
        whole = self._post("/tokenize", {"content": "a", "add_special": True})["tokens"]
        end = self.tokens(str(self._get("/props").get("eos_token") or ""))
        bos = int(whole[0]) if len(whole) > len(plain) and whole[0] != plain[0] else None
        return bos, end[0] if len(end) == 1 else None

    def longest(self) -> int:
        """How many tokens the model was made to read."""
        (model,) = self._get("/v1/models")["data"]
        return int(model["meta"]["n_ctx_train"])

    def rendered(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """The prompt that the file's own chat template makes of a conversation."""
        body: dict[str, Any] = {"messages": [turn.as_dict() for turn in turns]}
        if tools:
            body["tools"] = [dict(tool) for tool in tools]
        return str(self._post("/apply-template", body)["prompt"])

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        decoding: Decoding,
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """See `Runtime.generate`; the file's own end-of-generation tokens stop it too."""
        done = 0

        def one(prompt: Sequence[int]) -> Generation:
            nonlocal done
            result = self._answer(prompt, decoding)
            done += 1
            if on_batch is not None:
                on_batch(done)
            return result

        with self._threads() as pool:
            return list(pool.map(one, prompts))

    def _answer(self, prompt: Sequence[int], decoding: Decoding) -> Generation:
        answer = self._drawn(prompt, decoding, decoding.max_new_tokens)
        ids = [int(token) for token in answer["tokens"]]
        stop = next((n for n, token in enumerate(ids) if token in decoding.stop_ids), None)
        is_its_own = stop == len(ids) - 1 and answer["stop_type"] == "eos"
        said = answer["content"]
        if stop is not None and not is_its_own:  # the file does not know this end
            said = self._drawn(prompt, decoding, stop)["content"] if stop else ""
        text, by_string = cut(said, decoding.stop_strings)
        stopped = answer["stop_type"] in ("eos", "word") or by_string or stop is not None
        kept = ids if stop is None else ids[: stop + 1]
        return Generation(tuple(kept), text, stopped)

    def _drawn(self, prompt: Sequence[int], decoding: Decoding, most: int) -> dict[str, Any]:
        """What the server makes of a prompt in `most` tokens; its text has no control tokens."""
        body = {
            "prompt": list(prompt),
            "n_predict": most,
            "temperature": 0,
            "top_k": 1,
            "stop": list(decoding.stop_strings),
            "return_tokens": True,
            "cache_prompt": True,
        }
        found: dict[str, Any] = self._post("/completion", body)
        return found

    def next_logprobs(
        self, prefixes: Sequence[Sequence[int]], top_n: int
    ) -> list[dict[int, float]]:
        """See `Runtime.next_logprobs`.

        The server tells log-probabilities only of a token that ends a character and is no end of
        generation, so the token it draws is forced to be a letter; what it tells of the others
        are the model's own logits, before any bias.
        """
        letter = self.tokens("a")[0]

        def one(prefix: Sequence[int]) -> dict[int, float]:
            body = {
                "prompt": list(prefix),
                "n_predict": 1,
                "temperature": 0,
                "n_probs": top_n,
                "post_sampling_probs": False,
                "logit_bias": [[letter, 1e4]],
                "cache_prompt": False,
            }
            first = self._post("/completion", body)["completion_probabilities"][0]
            return {int(top["id"]): float(top["logprob"]) for top in first["top_logprobs"]}

        return [one(prefix) for prefix in prefixes]

    def loglikelihoods(
        self,
        prompts: Sequence[Sequence[int]],
        continuations: Sequence[Sequence[int]],
        *,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[LogLikelihood]:
        """See `Runtime.loglikelihoods`; the server echoes no prompt, so each token is asked for."""
        done = 0

        def one(prompt: Sequence[int], continuation: Sequence[int]) -> LogLikelihood:
            nonlocal done
            worths = [
                self._worth([*prompt, *continuation[:n]], token)
                for n, token in enumerate(continuation)
            ]
            done += 1
            if on_batch is not None:
                on_batch(done)
            total = math.fsum(logprob for logprob, _ in worths)
            return LogLikelihood(total, len(worths), all(is_greedy for _, is_greedy in worths))

        if any(not prompt or not c for prompt, c in zip(prompts, continuations, strict=True)):
            raise ValueError("neither a prompt nor a continuation may be empty")
        with self._threads() as pool:
            return list(pool.map(one, prompts, continuations))

    def _worth(self, prefix: Sequence[int], token: int) -> tuple[float, bool]:
        """The log-probability of the next token, and whether it is the most likely one.

        The token is forced to be drawn, and the server tells what the model's own logits, before
        any bias, make of it. It tells nothing of a token that ends no character or ends the
        answer; that one is looked up among all.
        """
        body = {
            "prompt": list(prefix),
            "n_predict": 1,
            "temperature": 0,
            "n_probs": 1,
            "post_sampling_probs": False,
            "logit_bias": [[token, 1e4]],
            "cache_prompt": True,
        }
        told = self._post("/completion", body).get("completion_probabilities")
        if told and int(told[0]["id"]) == token:
            return float(told[0]["logprob"]), int(told[0]["top_logprobs"][0]["id"]) == token
        (every,) = self.next_logprobs([prefix], EVERY_TOKEN)
        return every[token], max(every, key=every.__getitem__) == token

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._asked("POST", path, json.dumps(body).encode("utf-8"))

    def _get(self, path: str) -> dict[str, Any]:
        return self._asked("GET", path, None)

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        """One for each slot; where the block is broken off, what is under way is given up."""
        with ThreadPoolExecutor(self.slots) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for connection in tuple(self._open):
                    with suppress(OSError, AttributeError):  # not yet open, or closed by now
                        connection.sock.shutdown(socket.SHUT_RDWR)
                raise

    def _asked(self, method: str, path: str, payload: bytes | None) -> dict[str, Any]:
        connection = self._connection()
        self._open.add(connection)
        try:
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            what, fix = _("llama.cpp broke off ({error})"), _("run the same command again")
            raise ResourceError(Problem(path, what.format(error=error), fix)) from error
        finally:
            self._open.discard(connection)
            connection.close()
        if response.status != http.client.OK:
            what = _("llama.cpp answered {status} ({answer})")
            raise ResourceError(Problem(path, what.format(status=response.status, answer=answer)))
        return dict(answer)

    def _connection(self) -> http.client.HTTPConnection:
        if self._address.scheme == "unix":
            return _UnixConnection(self._address.path)
        return http.client.HTTPConnection(self._address.netloc)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket.

    Without a limit of time: nothing is sent before an answer is whole, which may take an hour of a
    large model on few cores, and the server lives in this very process.
    """

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)
