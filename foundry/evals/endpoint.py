"""Ask a model behind an OpenAI-compatible endpoint (`POST {base_url}/chat/completions`).

The key is read from the environment when it is needed. It stands in the request's header and
nowhere else: no record, error or event holds it (C78).
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from foundry.core import secrets
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.version import version
from foundry.models.quiet import TRUE

TRIES = 6
LONGEST_WAIT_S = 60.0
AGAIN = (408, 409, 429, 500, 502, 503, 504)
"""Answers after which the same request may succeed; OpenAI's own client tries these again too."""
REFUSED = (401, 403)
LOCAL = ("localhost", "127.0.0.1", "::1")
SHOWN = 200  # characters of a refusal that are passed on


@dataclass
class Endpoint:
    """A chat model somewhere; use it as a context manager.

    `settings` are further keys of a request, such as `temperature`.
    """

    base_url: str
    model: str
    key_env: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 120.0

    def __enter__(self) -> Self:
        import httpx2

        _refuse_offline(self.base_url)
        headers = {"User-Agent": f"ai-foundry/{version()}"}
        key = self._key()
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx2.Client(headers=headers, timeout=self.timeout_s)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def say(self, text: str) -> str:
        """What the model answers to one user message; safe to call from several threads.

        Raises:
            ResourceError: Nobody answers, the key is refused, the model is unknown, the answer is
                none of a chat model, or the endpoint still wants to wait after `TRIES` tries.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            **self.settings,
        }
        for attempt in range(TRIES):
            response = self._post(body)
            if response.status_code not in AGAIN:
                break
            if attempt + 1 < TRIES:
                time.sleep(waiting(response.headers.get("Retry-After"), attempt))
        if not response.is_success:
            raise ResourceError(self._refused(response))
        return self._content(response)

    def _post(self, body: Mapping[str, Any]) -> Any:
        import httpx2

        try:
            return self._client.post(f"{self.base_url.rstrip('/')}/chat/completions", json=body)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            what = _("nobody answers ({kind})").format(kind=type(error).__name__)
            fix = _("start the server, or correct `base_url`; then run it again, it goes on there")
            raise ResourceError(Problem(self.base_url, what, fix)) from None

    def _content(self, response: Any) -> str:
        try:
            content = response.json()["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            content = None
        if not isinstance(content, str):
            what = _("answers what an OpenAI-compatible endpoint would not")
            fix = _("correct `base_url`; it most often ends in `/v1`")
            raise ResourceError(Problem(self.base_url, what, fix))
        return content

    def _refused(self, response: Any) -> Problem:
        status, detail = response.status_code, self._masked(response.text)
        if status in REFUSED:
            fix = _("name the environment variable that holds a valid key in `key_env`")
            return Problem(
                self.base_url, _("refuses the key ({status})").format(status=status), fix
            )
        what = _("refuses ({status}: {detail})").format(status=status, detail=detail)
        if status in AGAIN:
            fix = _("run it again later; it goes on from there")
        else:
            fix = _("correct `base_url` or `model` (`{model}`)").format(model=self.model)
        return Problem(self.base_url, what, fix)

    def _masked(self, text: str) -> str:
        key = os.environ.get(self.key_env or "", "").strip()
        shown = text.replace(key, "***") if key else text
        return " ".join(secrets.mask(shown).split())[:SHOWN]

    def _key(self) -> str | None:
        if self.key_env is None:
            return None
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            what = _("the environment variable {name} holds no key").format(name=self.key_env)
            raise ResourceError(Problem(self.base_url, what, f"export {self.key_env}=…"))
        return key


def waiting(retry_after: str | None, attempt: int) -> float:
    """Seconds to wait: what the endpoint asks for, else 1, 2, 4 ...; at most `LONGEST_WAIT_S`.

    `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3).
    """
    wanted = float(2**attempt)
    if retry_after is not None:
        try:
            wanted = float(retry_after)
        except ValueError:
            wanted = _until(retry_after, wanted)
    return min(max(wanted, 0.0), LONGEST_WAIT_S)


def _until(date: str, otherwise: float) -> float:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return otherwise
    return (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _refuse_offline(base_url: str) -> None:
    """`FOUNDRY_OFFLINE` forbids what leaves this machine."""
    value = os.environ.get("FOUNDRY_OFFLINE", "")
    if value.upper() in TRUE and urlsplit(base_url).hostname not in LOCAL:
        what = _("forbids any connection (found: {value})").format(value=value)
        raise ResourceError(Problem("FOUNDRY_OFFLINE", what, "unset FOUNDRY_OFFLINE"))
