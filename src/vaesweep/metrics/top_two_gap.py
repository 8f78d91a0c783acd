"""The gap between the two largest scores of a factor."""

from torch import Tensor
from torch.nn.functional import pad


def top_two_gap(scores: Tensor) -> Tensor:
    """The largest of each column of `scores` [d, F], all >= 0, minus the second largest, [F]; of one row, minus 0."""
    first, second = pad(scores, (0, 0, 0, 1)).topk(2, dim=0).values
    return first - second
