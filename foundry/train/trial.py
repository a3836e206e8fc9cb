"""Which packs a training may try before its first step, and whether that pays; without torch."""

PACKS = (256, 512, 1024, 2048)
# A trial is three steps for each choice, some six to nine. What there is to win was 7 to 20 %
# (shared/performance.md), so it pays after some sixty.
WORTHWHILE_STEPS = 60


def is_worthwhile(steps: int, deterministic: bool) -> bool:
    """Whether a run is long enough to try anything, and may differ from run to run."""
    return steps >= WORTHWHILE_STEPS and not deterministic
