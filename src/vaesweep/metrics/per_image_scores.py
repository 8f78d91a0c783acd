"""The scores of every image of a split, in the order of the split."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PerImageScores(Metric):
    """Rows of k scores [N, k] of the images of a split, from batches that several processes took in any order."""

    batches: list[Tensor]
    scores: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("batches", [], dist_reduce_fx="cat")
        self.add_state("scores", [], dist_reduce_fx="cat")

    def update(self, scores: Tensor, number: int) -> None:
        """Scores [B, k] of the images of batch `number` of the split; a process without images gives B = 0."""
        self.batches.append(torch.full((len(scores),), number, device=scores.device))
        self.scores.append(scores.float().flatten())  # several processes give each other tensors of one axis

    def compute(self) -> Tensor:
        batches, scores = dim_zero_cat(self.batches), dim_zero_cat(self.scores)
        return scores.view(len(batches), -1)[batches.argsort(stable=True)]
