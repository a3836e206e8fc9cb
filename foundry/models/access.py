"""Why the hub did not give a model, told so that a person knows what to do (C71).

The hub answers 401 to whoever shows no token, whether the repository is missing, private or
gated; only with a token does it tell them apart. What it says is not passed on: our sentences
hold no header and no token (C78).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from foundry.core.errors import FoundryError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.models.names import Wanted, near_models

TOKEN_PAGE = "https://huggingface.co/settings/tokens"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
INVALID_TOKEN = "Invalid credentials in Authorization header"


@contextmanager
def explained(wanted: Wanted) -> Iterator[None]:
    """Turn what the hub's client raises inside into one of our errors."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except FoundryError:
        raise
    except HfHubHTTPError as error:
        raise refused(wanted, error.response) from None
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise unreachable(wanted, type(error).__name__) from None
    except OSError as error:
        raise _failed_here(wanted, error) from None


def refused(wanted: Wanted, response: Any) -> ResourceError:
    """The error for an answer of the hub that is a refusal."""
    status, code = response.status_code, response.headers.get("X-Error-Code")
    if code == "GatedRepo":
        return _gated(wanted)
    if code == "RevisionNotFound":
        what = _("the repository has no revision `{name}`").format(name=wanted.revision)
        fix = _("leave the revision out; the newest is then fetched and its commit printed")
        return ResourceError(Problem(wanted.address, what, fix))
    if status == 401 and response.headers.get("X-Error-Message") == INVALID_TOKEN:
        what = _("the hub does not know the token (it may have expired)")
        return ResourceError(Problem(wanted.address, what, _token_fix()))
    if status == 401 and not has_token():
        what = _("missing, private or gated; without a token the hub does not say which")
        return ResourceError(Problem(wanted.address, what, _near_fix(wanted, _token_fix())))
    if status in (401, 404):
        what = _("there is no such model on the hub, or the token may not see it")
        return ResourceError(
            Problem(wanted.address, what, _near_fix(wanted, _("check the spelling")))
        )
    if status == 403:
        what = _("the token may not read this model")
        return ResourceError(Problem(wanted.address, what, _token_fix()))
    return _failing(wanted, status)


def unreachable(wanted: Wanted, kind: str) -> ResourceError:
    """The error where nobody answered."""
    what = _("no connection to {endpoint} ({kind})").format(endpoint=endpoint(), kind=kind)
    fix = _("check the network and HTTPS_PROXY; a mirror is set with HF_ENDPOINT")
    return ResourceError(Problem(wanted.address, what, fix))


def has_token() -> bool:
    """Whether a request to the hub carries a token."""
    from huggingface_hub.utils import build_hf_headers

    return "authorization" in build_hf_headers()


def endpoint() -> str:
    """The hub that is asked."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _gated(wanted: Wanted) -> ResourceError:
    page = f"{endpoint()}/{wanted.hub_id}"
    if has_token():
        what = _("gated, and the token's account has not been let in")
    else:
        what = _("gated: it is given only to those who accepted its terms")
    entry = wanted.entry
    if entry is not None and entry.gate_asks is not None:
        accept = _("accept the terms on {page} (the page asks for: {what})")
        steps = [accept.format(page=page, what=entry.gate_asks.text(language()))]
    else:
        steps = [_("accept the terms on {page}").format(page=page)]
    if not has_token():
        steps.append(_token_fix())
    if entry is not None and entry.fallback is not None:
        steps.append(_("or use `{name}`, which has no gate").format(name=entry.fallback))
    fix = steps[0]
    for step in steps[1:]:
        fix = _("{first}; {second}").format(first=fix, second=step)
    return ResourceError(Problem(wanted.address, what, fix))


def _failed_here(wanted: Wanted, error: OSError) -> ResourceError:
    """An error of this machine's files; one without a number is the hub client's own."""
    if error.errno is None:
        return unreachable(wanted, type(error).__name__)
    if error.errno in DISK_FULL:
        what = _("the disk is full; what has arrived is kept")
        fix = _("free some space and run the same command again; it goes on from there")
        return ResourceError(Problem(wanted.address, what, fix))
    what = _("cannot write the hub's cache ({reason})").format(reason=error.strerror)
    fix = _("set HF_HUB_CACHE to a folder that you may write to")
    return ResourceError(Problem(error.filename or wanted.address, what, fix))


def _failing(wanted: Wanted, status: int) -> ResourceError:
    if status == 429:
        what = _("the hub wants fewer requests (429)")
        fix = _("wait some minutes and run the same command again; it goes on from there")
    else:
        what = _("{endpoint} fails ({status})").format(endpoint=endpoint(), status=status)
        fix = _("run the same command again later; it goes on from there")
    return ResourceError(Problem(wanted.address, what, fix))


def _token_fix() -> str:
    fix = _("make a token on {page} and set it in the environment as HF_TOKEN")
    return fix.format(page=TOKEN_PAGE)


def _near_fix(wanted: Wanted, otherwise: str) -> str:
    names = near_models(wanted.hub_id or wanted.name)
    if not names:
        return otherwise
    return _("did you mean {names}? else {fix}").format(
        names=", ".join(f"`{name}`" for name in names), fix=otherwise
    )
