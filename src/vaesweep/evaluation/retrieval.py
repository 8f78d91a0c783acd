"""Whether images with neighbouring codes are alike."""

from dataclasses import dataclass

import torch
from sklearn.neighbors import NearestNeighbors

from vaesweep import figures
from vaesweep.checks import Invalid, whole
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject

QUERIES, SHOWN = 8, 10


@dataclass(frozen=True)
class Retrieval:
    """Precision at `k`: the share of a test image's class among the `k` of `images` training images nearest in code.

    Distances are Euclidean, between posterior means; the mean is over the test split.
    """

    k: int
    images: int

    def __post_init__(self) -> None:
        whole("k", self.k)
        if whole("images", self.images) < self.k:
            raise Invalid("k", self.k, f"at most images, {self.images}")

    def __call__(self, subject: Subject) -> Outcome:
        if subject.told_class:
            raise Inapplicable("the member is told the class, which its codes therefore leave out")
        known, asked = subject.codes("train", self.images), subject.codes("test")
        (codes, classes), (queries, wanted) = known.numpy(), asked.numpy()
        k = min(self.k, len(codes))
        nearest = NearestNeighbors(n_neighbors=min(max(k, SHOWN), len(codes))).fit(codes)
        found = nearest.kneighbors(queries, return_distance=False)
        right = torch.from_numpy(classes[found] == wanted[:, None])
        labelled = len(set(classes)) > 1
        made = Outcome()
        if labelled:
            made.values[f"precision_at_{k}"] = Value(right[:, :k].float().mean().item(), "share of hits")
        else:
            made.absent["precision"] = "the images have no classes"
        rows = torch.arange(min(QUERIES, len(queries)))
        hits = torch.from_numpy(found)[rows, :SHOWN]
        pictures = subject.pictures("test", None, rows), subject.pictures("train", self.images, hits)
        made.figures = {"retrieval": figures.hits(*pictures, right[rows, :SHOWN] if labelled else None)}
        return made
