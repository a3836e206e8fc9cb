"""Draw answers with noise of each question's own, so that who draws them changes nothing.

The largest of logit - log e, with e drawn from an exponential for each token of the vocabulary, is
a token drawn from the softmax of the logits (Gumbel 1954; Maddison et al. 2014, "A* Sampling",
section 2, https://arxiv.org/abs/1411.0030). A group of answers takes its noise from a generator of
its own, so it is drawn the same beside any other groups and in any process; and as the seed knows
the step, a run that goes on from a checkpoint draws as the straight one.
"""

# A answers side by side, G answers of a group, V vocabulary

from collections.abc import Sequence
from hashlib import sha256

import torch


class OwnNoise:
    """A logits processor of transformers' that turns greedy choice into drawing.

    Args:
        seeds: One for each group, in the order of the answers.
        group_size: Answers of a group.
        temperature: What logits are divided by, above 0.
        device: Where the logits lie.
    """

    def __init__(
        self, seeds: Sequence[int], group_size: int, temperature: float, device: torch.device
    ) -> None:
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self.group_size, self.temperature = group_size, temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of shape (A, V) with noise, float32."""
        groups = (scores.float() / self.temperature).split(self.group_size)
        pairs = zip(groups, self.generators, strict=True)
        return torch.cat([scores_GV - self._noise(scores_GV, own) for scores_GV, own in pairs])

    def _noise(self, scores_GV: torch.Tensor, own: torch.Generator) -> torch.Tensor:
        drawn_GV = torch.empty_like(scores_GV).exponential_(generator=own)
        return drawn_GV.clamp_(min=torch.finfo(torch.float32).tiny).log_()


def seeds_of(seed: int, step: int, groups: Sequence[int]) -> list[int]:
    """A seed for each group of a step, by its number in the step; the same in every Python."""
    names = (f"{seed} {step} {group}".encode() for group in groups)
    return [int.from_bytes(sha256(name).digest()[:7]) for name in names]
