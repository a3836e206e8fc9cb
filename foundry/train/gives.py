"""What a trained model gives: an answer, or a number that says how good an answer is."""

from foundry.core import plugins

REWARD = "reward"


def gives_reward(trainer: str) -> bool:
    """Whether what a trainer makes is a reward model, which says no word (`GIVES` of its file)."""
    return plugins.optional(plugins.load("trainer", trainer), "GIVES") == REWARD
