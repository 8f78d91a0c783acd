"""A plane of latent space, decoded."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.special import ndtri

from vaesweep import figures
from vaesweep.checks import Invalid, whole
from vaesweep.evaluation.outcome import Inapplicable, Outcome
from vaesweep.evaluation.subject import Subject


@dataclass(frozen=True)
class Grid:
    """E[x|z] at `size` x `size` quantiles of the prior, Phi^-1(p) for p in equal steps over `range`.

    As in Kingma & Welling 2014, fig. 4. Of more than two latent dimensions the plane is that of the two most active
    ones, all others at the prior's mean.
    """

    size: int
    range: Sequence[float]

    def __post_init__(self) -> None:
        whole("size", self.size, 2)
        ends = self.range
        if not isinstance(ends, list | tuple) or len(ends) != 2 or not 0 < ends[0] < ends[1] < 1:
            raise Invalid("range", ends, "two probabilities between 0 and 1, the lower one first, such as [0.03, 0.97]")

    def __call__(self, subject: Subject) -> Outcome:
        if not subject.has_posterior:
            raise Inapplicable("a point code has no prior, whose quantiles are the grid")
        member = subject.member
        if member.latent_dim < 2:
            raise Inapplicable("one latent dimension makes no plane")
        first = subject.posterior("test").kl().mean(0).argsort(descending=True).tolist()
        dims = (0, 1) if member.latent_dim == 2 else (first[0], first[1])
        quantiles = ndtri(torch.linspace(self.range[0], self.range[1], self.size, device=subject.device))
        z2, z1 = torch.meshgrid(quantiles, quantiles, indexing="ij")
        z = torch.zeros(self.size**2, member.latent_dim, device=subject.device)
        z[:, dims[0]], z[:, dims[1]] = z1.flatten(), z2.flatten()
        images = member.generate(z, subject.examples(1).label.expand(len(z), -1))
        return Outcome(
            figures={"grid": figures.latent_grid(images.unflatten(0, (self.size, self.size)), quantiles, dims)}
        )
