"""A hub on this machine for the real client of the hub to talk to.

It answers what `huggingface_hub` 2.4 asks: a model's facts, the tree of a commit, and the files,
of which the large ones are sent on to a second host as the hub does with its store. Both hosts
write down who asked for what, with which header, and how many bytes they got.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
INVALID = "Invalid credentials in Authorization header"
NOT_SHOWN = "Invalid username or password."


@dataclass
class Repository:
    """One commit with its files; those that end in .safetensors, and tokenizer.json, are large."""

    files: dict[str, bytes]
    gated: str | bool = False
    private: bool = False
    let_in: set[str] = field(default_factory=set)
    commit: str = COMMIT

    @classmethod
    def of(cls, folder: Path, **values: Any) -> "Repository":
        """The files of a folder."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
        return cls(files, **values)

    @staticmethod
    def is_large(name: str) -> bool:
        """Whether the hub keeps the file apart."""
        return name.endswith((".safetensors", ".bin")) or name == "tokenizer.json"

    def digest(self, name: str) -> str:
        """What the hub states: SHA-256, or git's name of a small file."""
        content = self.files[name]
        if self.is_large(name):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def tree(self) -> list[dict[str, Any]]:
        """The listing of `/api/models/.../tree/...`."""
        made = []
        for name, content in self.files.items():
            item = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
            if self.is_large(name):
                item["lfs"] = {"oid": self.digest(name), "size": len(content), "pointerSize": 134}
            else:
                item["oid"] = self.digest(name)
            made.append(item)
        return made


@dataclass(frozen=True)
class Asked:
    """A request and what it was given."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class Faults:
    """What goes wrong; each is used up as often as it says."""

    cut_after: int | None = None  # bytes of a large file, then the line is cut
    cuts: int = 1
    wrong: set[str] = field(default_factory=set)  # files of which one byte differs
    ignore_range: bool = False
    status: int | None = None  # every answer of the hub


class Hub:
    """The stand-in: its repositories, tokens, faults, and the list of requests."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        self.faults = Faults()
        self.asked: list[Asked] = []
        self.pages = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, "hub"))
        self.store = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, "store"))

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.pages.server_address[1]}"

    @property
    def store_url(self) -> str:
        """The host of large files, of another name than the hub's."""
        return f"http://localhost:{self.store.server_address[1]}"

    def sent(self, ending: str = "") -> int:
        """Bytes of content given for files whose path ends so."""
        return sum(a.sent for a in self.asked if a.method == "GET" and a.path.endswith(ending))

    def seen_by(self, host: str) -> list[Asked]:
        """The requests that `hub` or `store` got."""
        return [asked for asked in self.asked if asked.host == host]


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub()
    servers = (hub.pages, hub.store)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _handler(hub: Hub, host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(_Answers):
        pass

    Handler.hub, Handler.host = hub, host
    return Handler


class _Answers(BaseHTTPRequestHandler):
    hub: Hub
    host: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        status = self.hub.faults.status
        if status is not None and self.host == "hub":
            self._give(status, b"", {"X-Error-Message": "out of order"})
        elif self.host == "store":
            hub_id, name = re.fullmatch(r"/store/([^/]+/[^/]+)/(.+)", path).groups()
            self._content(self.hub.repositories[hub_id], name, {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/(revision|tree)/(.+))?", path):
            self._facts(found[1], found[3], found[4])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/([^/]+(/[^/]+)?)", path):
            self._file(found[1], found[2], found[3])
        else:
            self._refuse(404, None, "not found")

    def _token(self) -> str | None:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None

    def _repository(self, hub_id: str) -> Repository | None:
        """The repository if whoever asks may know of it; else the hub's own answer is given."""
        token, found = self._token(), self.hub.repositories.get(hub_id)
        if token is not None and token not in self.hub.tokens:
            self._refuse(401, None, INVALID)
        elif found is None or (found.private and token not in found.let_in):
            if token is None:
                self._refuse(401, None, NOT_SHOWN)
            else:
                self._refuse(404, "RepoNotFound", "Repository not found")
        else:
            return found
        return None

    def _facts(self, hub_id: str, kind: str | None, revision: str | None) -> None:
        repository = self._repository(hub_id)
        if repository is None:
            return
        if revision not in (None, "main", repository.commit):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif kind == "tree":
            self._give(200, json.dumps(repository.tree()).encode(), {})
        else:
            facts = {"id": hub_id, "sha": repository.commit, "gated": repository.gated}
            self._give(200, json.dumps(facts).encode(), {})

    def _file(self, hub_id: str, revision: str, name: str) -> None:
        repository = self._repository(hub_id)
        if repository is None:
            return
        if repository.gated and self._token() not in repository.let_in:
            status = 401 if self._token() is None else 403
            self._refuse(status, "GatedRepo", f"Access to model {hub_id} is restricted.")
            return
        if name not in repository.files:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": repository.commit}
        if repository.is_large(name):
            size = len(repository.files[name])
            headers["X-Linked-Size"], headers["X-Linked-Etag"] = str(size), repository.digest(name)
            headers["Location"] = f"{self.hub.store_url}/store/{hub_id}/{name}"
            self._give(302, b"", headers)
        else:
            self._content(repository, name, headers | {"ETag": f'"{repository.digest(name)}"'})

    def _content(self, repository: Repository, name: str, headers: dict[str, str]) -> None:
        content, faults = repository.files[name], self.hub.faults
        if name in faults.wrong:
            content = bytes([content[0] ^ 1]) + content[1:]
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        status = 200
        if start and not faults.ignore_range:
            begin = int(start[1])
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            status, content = 206, content[begin:]
        cut = None
        if self.host == "store" and faults.cut_after is not None and faults.cuts > 0:
            faults.cuts -= 1
            cut = faults.cut_after
        self._give(status, content, headers, cut=cut)

    def _refuse(self, status: int, code: str | None, message: str) -> None:
        headers = {"X-Error-Message": message}
        if code is not None:
            headers["X-Error-Code"] = code
        self._give(status, json.dumps({"error": message}).encode(), headers)

    def _give(
        self, status: int, body: bytes, headers: dict[str, str], *, cut: int | None = None
    ) -> None:
        given = b"" if self.command == "HEAD" else body[:cut]
        asked = {key.lower(): value for key, value in self.headers.items()}
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(Asked(self.host, self.command, path, asked, len(given)))
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        if cut is not None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(given)
