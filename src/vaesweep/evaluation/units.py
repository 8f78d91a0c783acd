"""What the units of a sparse code do."""

from dataclasses import dataclass

from vaesweep import figures
from vaesweep.checks import real
from vaesweep.evaluation.outcome import Inapplicable, Outcome, Value
from vaesweep.evaluation.subject import Subject
from vaesweep.family import Sparse


@dataclass(frozen=True)
class Units:
    """Mean activation rho_hat of every unit (mean magnitude for l1), L0 and dead units, over the test split.

    A unit is on for an image where |z_j| > `threshold`; L0 is the mean number of units that are on, and a dead unit is
    on for no image.
    """

    threshold: float

    def __post_init__(self) -> None:
        real("threshold", self.threshold, 0)

    def __call__(self, subject: Subject) -> Outcome:
        member = subject.member
        if not isinstance(member, Sparse):
            raise Inapplicable("the code is not meant to be sparse")
        z = subject.codes("test").mean
        activation, on = (z if member.kind == "kl" else z.abs()).mean(0), z.abs() > self.threshold
        target = member.rho.item() if member.kind == "kl" else None
        return Outcome(
            {
                "rho_hat": Value(activation.mean().item(), "mean activation"),
                "l0": Value(on.sum(1).float().mean().item(), f"units with |z| > {self.threshold:g}"),
                "dead": Value((~on.any(0)).sum().item(), "units"),
            },
            series={"rho_hat": activation.tolist()},
            figures={"units": figures.activations(activation, target)},
        )
