"""Conversation -> text through the model's one chat template, in a sandbox.

The same function serves training, evaluation, parity and chat, so that all of them see the same
prompt. The environment has the settings of transformers' own (`utils/chat_template_utils.py`,
`_compile_jinja_template` at 5.24); a test holds the two equal.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, NoReturn

from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Turn

MAX_TEMPLATE_CHARS = 200_000
MAX_RENDERED_CHARS = 10_000_000


def render(
    turns: Sequence[Turn],
    template: str,
    *,
    bos_token: str,
    eos_token: str = "",
    add_generation_prompt: bool = False,
) -> str:
    """The text of a conversation.

    Raises:
        DataError: The template refuses the conversation (roles that do not alternate, for
            example), reaches outside the sandbox, or makes more than `MAX_RENDERED_CHARS`.
    """
    from jinja2 import TemplateError

    try:
        text = _compiled(template).render(
            messages=[turn.as_dict() for turn in turns],
            bos_token=bos_token,
            eos_token=eos_token,
            add_generation_prompt=add_generation_prompt,
            tools=None,
            documents=None,
        )
    except (TemplateError, TypeError, ValueError, OverflowError, RecursionError) as error:
        what = _("the chat template refused the conversation ({error})")
        raise DataError(
            Problem("chat_template", what.format(error=error), _("check the order of the roles"))
        ) from error
    if len(text) > MAX_RENDERED_CHARS:
        what = _("the chat template made {found} characters; the most is {most}")
        raise DataError(
            Problem("chat_template", what.format(found=len(text), most=MAX_RENDERED_CHARS))
        )
    return text


@lru_cache(maxsize=8)
def _compiled(template: str) -> Any:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    if len(template) > MAX_TEMPLATE_CHARS:
        what = _("the template has {found} characters; the most is {most}")
        raise DataError(
            Problem("chat_template", what.format(found=len(template), most=MAX_TEMPLATE_CHARS))
        )
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _generation_tag()]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(template)


def _generation_tag() -> Any:
    """`{% generation %}` marks what the assistant says and changes nothing of the text."""
    from jinja2 import nodes
    from jinja2.ext import Extension

    class Generation(Extension):
        tags: ClassVar = {"generation"}

        def parse(self, parser: Any) -> nodes.Scope:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    return Generation


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)
