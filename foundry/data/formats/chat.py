"""Format `chat`: a row holds a list of messages `{role, content}`, as chat interfaces use."""

from pydantic import Field

from foundry.core.fields import Closed


class Spec(Closed):
    """Which field holds the messages."""

    messages: str = Field(
        "messages",
        min_length=1,
        description="Field with the list of messages; roles are system, user and assistant.",
    )
