"""What a person should look at though no row is refused for it, in words."""

from foundry.core.language import gettext as _


def sentence(code: str) -> str:
    """What a code of the manifest's `notices` means; the code itself where it has no words."""
    return {
        "placeholder": _("a placeholder that nobody filled in stands in the text"),
        "role-respelled": _("a role is known only without its spaces and capitals"),
        "number-respelled": _("a number of a tool call is written out differently"),
        "fewer-tool-results": _("fewer tool results than calls"),
        "answer-not-in-context": _("the answer does not stand in the passage"),
        "same-prompt-other-answer": _("the same prompt has another answer elsewhere"),
    }.get(code, code)
