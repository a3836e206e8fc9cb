"""Whether a template looks into the words of a conversation, or only passes them on.

Contents are given to the template as `Words`, texts that can be put together, trimmed and written
out; whatever else is done to them (comparing, searching, cutting, counting) ends the rendering. A
rendering that came to its end took no decision on the words, so that it goes the same way for any
other words, and its text is the template's own around them. This is dynamic taint analysis
(Schwartz, Avgerinos and Brumley, 2010, "All You Ever Wanted to Know About Dynamic Taint Analysis
and Forward Symbolic Execution", section III) whose sinks are all operations but these.

What holds of `Words` holds of contents that begin and end with no white space, which trimming
would take away, and that are empty where these are. What cannot be told counts as looking.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

from jinja2 import Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

# Filters that hand a text on as it is, and those that do not touch what is in a list.
PASSING, COUNTING = {"trim", "string", "default", "d"}, {"length", "count", "first", "last", "list"}
OF_TYPE = {"string", "defined", "undefined", "none", "mapping", "sequence", "iterable", "number"}
# These write into a text of their own, in which words are not known any more.
MIXING = (
    nodes.Concat,
    nodes.AssignBlock,
    nodes.Block,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.Macro,
)


class LookedError(Exception):
    """A template did more to the words of a conversation than passing them on."""


class Words(str):
    """A content that can only be put together, trimmed and written out."""

    __slots__ = ()

    def __add__(self, other: str) -> "Words":
        """Put together with what follows."""
        return Words(str.__add__(self, other))

    def __radd__(self, other: str) -> "Words":
        """Put together with what stands before."""
        return Words(str.__add__(other, self))

    def __bool__(self) -> bool:
        """Whether there are any, which the shape of a conversation says."""
        return str.__len__(self) > 0

    def __str__(self) -> str:
        """Themselves, to be written out."""
        return self

    def strip(self, chars: str | None = None) -> "Words":
        """Without white space around them, which they do not have."""
        return self if chars is None else _look()

    lstrip = rstrip = strip


def _look(*_arguments: Any, **_named: Any) -> NoReturn:
    raise LookedError


OF_EVERY_OBJECT = {"__class__", "__new__", "__init__", "__getattribute__", "__setattr__"}
for _name in set(dir(str)) - set(vars(Words)) - OF_EVERY_OBJECT:
    if callable(getattr(str, _name)):
        setattr(Words, _name, _look)


class Blind(ImmutableSandboxedEnvironment):
    """Mixed into a sandbox, lets a template only pass on the `Words` it is given."""

    intercepted_binops = frozenset({"%"})

    def blindfold(self, source: str) -> nodes.Template:
        """The template `source` with all its filters, tests and searches watched, to be compiled.

        Raises:
            LookedError: It has statements that could do anything to words.
        """
        self.filters = {n: _watched(n, f, PASSING, COUNTING) for n, f in self.filters.items()}
        self.tests = {n: _watched(n, f, OF_TYPE, OF_TYPE) for n, f in self.tests.items()}
        template = self.parse(source)
        if any(template.find_all(MIXING)) or any(n.recursive for n in template.find_all(nodes.For)):
            raise LookedError
        watched: nodes.Template = Searches().visit(template)
        return watched

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, but nothing with words that could look at them."""
        keeps = __obj is Namespace or getattr(__obj, "__name__", "") == "raise_exception"
        if not keeps and _hold(*args, *kwargs.values()):
            _look()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Format a text, but not with words."""
        return _look() if _hold(left, right) else super().call_binop(context, operator, left, right)


def blinded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with `Words` for contents."""
    return [{**message, "content": Words(message["content"])} for message in messages]


class Searches(NodeTransformer):
    """`a in b` as the test that says the same: a plain text searches words without asking them."""

    def visit_Compare(self, compare: nodes.Compare) -> nodes.Node:
        """The comparison, watched; what is looked for in words themselves they are asked."""
        self.generic_visit(compare)
        if not any(operand.op in ("in", "notin") for operand in compare.ops):
            return compare
        first, *more = compare.ops
        if more:
            raise LookedError
        if isinstance(compare.expr, nodes.Const):
            return compare
        test = nodes.Test(compare.expr, "in", [first.expr], [], None, None, lineno=compare.lineno)
        return test if first.op == "in" else nodes.Not(test, lineno=compare.lineno)


def _watched(
    name: str, plain: Callable[..., Any], of_words: set[str], of_others: set[str]
) -> Callable[..., Any]:
    """A filter or test that looks at no words unless it is known to pass them on."""
    skipped = int(hasattr(plain, "jinja_pass_arg"))  # the first argument is jinja's own

    @wraps(plain)
    def watching(*arguments: Any, **named: Any) -> Any:
        subject, *rest = arguments[skipped:]
        is_words = isinstance(subject, Words)
        if _hold(*rest, *named.values()) or (
            name not in of_words if is_words else name not in of_others and _hold(subject)
        ):
            _look()
        if not is_words:
            return plain(*arguments, **named)
        if of_words is PASSING:
            return subject.strip(*rest) if name == "trim" else subject
        return plain(*arguments[:skipped], "any text", *rest, **named)

    return watching


def _hold(*values: Any) -> bool:
    """Whether there are words somewhere in the values; True for what cannot be looked through."""
    return any(map(_holds, values))


def _holds(value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(value, Words)
    if isinstance(value, list | tuple):
        return _hold(*value)
    if isinstance(value, Mapping):
        return _hold(*value.values())
    return not isinstance(value, int | float | Undefined | None)
