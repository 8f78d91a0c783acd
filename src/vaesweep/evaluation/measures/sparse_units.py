"""Activity of the units of a sparse code."""

from dataclasses import dataclass

from vaesweep import figures
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.settings.check_arguments import check_float


@dataclass(frozen=True)
class SparseUnits:
    """Mean activation rho_hat of every unit, L0 and dead units, over the test split.

    A unit is on for an image where |z_j| > `threshold`; L0 is the mean number of units that are on, and a dead unit is
    on for no image.
    """

    threshold: float

    def __post_init__(self) -> None:
        check_float("threshold", self.threshold, 0)

    def __call__(self, context: EvalContext) -> MeasureResult:
        model = context.model
        if not context.declaration.sparse:
            raise NotApplicable("the code is not meant to be sparse")
        z = context.codes("test").mean
        activation, on = model.activation(z), z.abs() > self.threshold
        return MeasureResult(
            {
                "rho_hat": Value(activation.mean().item(), "mean activation"),
                "l0": Value(on.sum(1).float().mean().item(), f"units with |z| > {self.threshold:g}"),
                "dead": Value((~on.any(0)).sum().item(), "units"),
            },
            series={"rho_hat": activation.tolist()},
            figures={"units": figures.activations(activation, model.activation_target)},
        )
