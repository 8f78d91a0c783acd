"""How much the code moves when the image does."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from vaesweep import figures
from vaesweep.checks import whole
from vaesweep.evaluation.outcome import Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.family import Autoencoder
from vaesweep.jacobian import jacobian


@dataclass(frozen=True)
class Contraction:
    """The Jacobian of the code, dz/dx, at `images` of the test split (Rifai et al. 2011, sec. 3 and 5.3).

    `frobenius` is the mean of ||dz/dx||_F; the singular values, in falling order, are means over images too.
    """

    images: int

    def __post_init__(self) -> None:
        whole("images", self.images)

    def __call__(self, subject: Subject) -> Outcome:
        found = []
        for batch in subject.batches("test", self.images):
            rows = jacobian(partial(code, subject.member, batch.label), batch.image)
            found.append(torch.linalg.svdvals(rows.transpose(0, 1).flatten(2)).cpu())
        singular = torch.cat(found)
        mean = singular.mean(0)
        unit = "code a unit of image"
        return Outcome(
            {
                "frobenius": Value(singular.norm(dim=1).mean().item(), unit),
                "largest": Value(mean[0].item(), unit),
                "smallest": Value(mean[-1].item(), unit),
            },
            series={"singular_values": mean.tolist()},
            figures={"contraction": figures.spectrum("How the code follows the image", singular)},
        )


def code(member: Autoencoder, label: Tensor, image: Tensor) -> Tensor:
    """The posterior mean [B, d]."""
    return member.posterior(image, label).mean
