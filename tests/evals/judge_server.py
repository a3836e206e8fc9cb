"""A stand-in for an OpenAI-compatible endpoint: real HTTP, and judges of known kinds."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Judge = Callable[[str], str]


def fair(prompt: str) -> str:
    """Prefers the answer that holds the reference."""
    right = [_tag(prompt, "reference_answer") in _tag(prompt, name) for name in ANSWERS]
    verdict = "TIE" if right[0] == right[1] else "A" if right[0] else "B"
    return f"I compared both with the reference.\nVERDICT: {verdict}"


def always_first(prompt: str) -> str:
    """Prefers whatever it reads first."""
    return "The first one is better.\nVERDICT: A"


def rambling(prompt: str) -> str:
    """Never comes to a verdict."""
    return "Both answers have their merits, A as well as B."


ANSWERS = ("answer_a", "answer_b")


@dataclass
class Endpoint:
    """What the server was asked, and what it answers first: status and headers."""

    url: str
    judge: Judge
    refusals: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


@contextmanager
def serving(judge: Judge) -> Iterator[Endpoint]:
    """The endpoint while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1", judge)
    server.endpoint = endpoint  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        endpoint: Endpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint.keys.add(self.headers.get("Authorization", ""))
        if self.path != "/v1/chat/completions":
            return self._answer(404, {}, "no such page")
        if endpoint.refusals:
            return self._answer(*endpoint.refusals.pop(0))
        prompt = body["messages"][0]["content"]
        endpoint.prompts.append(prompt)
        endpoint.bodies.append(body)
        said = {"choices": [{"message": {"role": "assistant", "content": endpoint.judge(prompt)}}]}
        return self._answer(200, {"Content-Type": "application/json"}, json.dumps(said))

    def _answer(self, status: int, headers: dict[str, str], text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _tag(prompt: str, name: str) -> str:
    found = re.search(f"<{name}>\n(.*?)\n</{name}>", prompt, re.DOTALL)
    assert found is not None, prompt
    return found[1]
