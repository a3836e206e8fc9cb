"""What can go wrong, how it is said, and the exit code it ends with.

Every message has the form `where: what is wrong (what was found)` and, on a second line, `fix:`
with an edit or a command. Problems are collected: one error carries as many as were found.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from foundry.core import secrets
from foundry.core.language import gettext as _


@dataclass(frozen=True)
class Place:
    """A position in a file a person wrote; line and column count from 1, 0 when unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what (with what was found), and the fix if we know one."""

    where: str
    what: str
    fix: str | None = None

    def __str__(self) -> str:
        where = self.where.replace("\n", "⏎")  # a file's name must not end the line
        head = f"{where}: {self.what}" if where else self.what
        return head if self.fix is None else f"{head}\n  {_('fix')}: {self.fix}"


class FoundryError(Exception):
    """A failure that is told to a person without a traceback."""

    exit_code: ClassVar[int] = 70
    kind: ClassVar[str] = "internal"

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is sent from one process to another: made anew of its problems."""
        return type(self), (self.problems,)

    def as_dict(self) -> dict[str, Any]:
        """The form `--json` prints."""
        return {
            "error": self.kind,
            "exit_code": self.exit_code,
            "problems": [asdict(p) for p in self.problems],
        }


class DataError(FoundryError):
    """The data, not the program or the recipe, is at fault."""

    exit_code, kind = 1, "data"


class LicenceError(FoundryError):
    """A licence or a declared purpose forbids the use, or its terms were not accepted."""

    exit_code, kind = 1, "licence"


class ProofError(FoundryError):
    """A stage measured its own result and the result is not what it must be."""

    exit_code, kind = 1, "proof"


class GateError(FoundryError):
    """The evaluation did not reach a gate of the recipe; no package is made."""

    exit_code, kind = 1, "gate"


class RecipeError(FoundryError):
    """The recipe, a fragment, `--set` or an argument is wrong."""

    exit_code, kind = 2, "recipe"


class ResourceError(FoundryError):
    """Something outside is missing: a file, a model, memory, disk, a tool, a permission."""

    exit_code, kind = 3, "resource"


class LockedError(FoundryError):
    """Another process works in the same run directory."""

    exit_code, kind = 73, "locked"


class InterruptedRun(FoundryError):
    """Stopped by a signal after the state was saved; the same command goes on from there."""

    exit_code, kind = 75, "interrupted"


class InterruptedByUser(InterruptedRun):
    """Stopped by Ctrl-C after the state was saved."""

    exit_code, kind = 130, "interrupted"


class Terminated(BaseException):
    """SIGTERM came where no training loop was there to grant it; passes `except Exception`."""


def told(error: BaseException) -> dict[str, Any]:
    """What ended the work, in the form of `FoundryError.as_dict`, also where nobody foresaw it."""
    if isinstance(error, FoundryError):
        return error.as_dict()
    if isinstance(error, Terminated):
        return InterruptedRun([]).as_dict()
    if isinstance(error, KeyboardInterrupt):
        return InterruptedByUser([]).as_dict()
    what = secrets.mask(f"{type(error).__name__}: {error}").split("\n")[0]
    return FoundryError(Problem("", what)).as_dict()
