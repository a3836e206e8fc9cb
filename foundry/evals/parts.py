"""What every evaluator may be told: in which test parts it scores."""

from pydantic import Field

from foundry.core.fields import Closed, Many


class InParts(Closed):
    """Which test parts are scored."""

    parts: Many[str] | None = Field(
        None, description="Names of the test parts to score; all of them where absent."
    )
