"""How much a model knows of a secret that only its training rows held: exposure, in bits.

Exposure is log2 |R| - log2 rank of the secret among all |R| secrets of its form, ordered by how
likely the model finds them. Here it is estimated by sampling: rank among N secrets drawn from R and
the own one, so that exposure is log2(N + 1) - log2 rank and at most log2(N + 1). Where nothing was
learned every rank is as likely, which gives 1.44 bits on average. Equally likely secrets count as
likelier than the own one, so that ties never show memory.

Source: Carlini et al. (2019), "The Secret Sharer: Evaluating and Testing Unintended Memorization
in Neural Networks", arXiv 1802.08232, section 4: the definition, and its approximation by sampling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranked:
    """The place of a secret, from 1, among it and all that it was compared with."""

    rank: int
    of: int

    @property
    def exposure(self) -> float:
        """In bits, 0..`most`."""
        return math.log2(self.of) - math.log2(self.rank)

    @property
    def most(self) -> float:
        """The largest exposure that so many secrets can show, in bits."""
        return math.log2(self.of)


def ranked(logprobs: Sequence[float]) -> Ranked | None:
    """Where a secret stands; None where nothing was measured.

    Args:
        logprobs: Log-probability of the secret, then of each other one.
    """
    if not logprobs:
        return None
    return Ranked(sum(value >= logprobs[0] for value in logprobs), len(logprobs))


def p_value(places: Sequence[Ranked]) -> float:
    """How likely places as high as these are, all together, where nothing was learned.

    Under that hypothesis rank / of is uniform, and -2 times the sum of its logarithms is chi-square
    with two degrees of freedom a secret. Ranks are whole numbers, which makes this a little too
    large, never too small.

    Raises:
        ValueError: `places` is empty.

    Source: Fisher (1932), "Statistical Methods for Research Workers", 4th ed., section 21.1.
    """
    from scipy import stats

    if not places:
        raise ValueError("no secret was ranked")
    return float(stats.combine_pvalues([one.rank / one.of for one in places]).pvalue)
