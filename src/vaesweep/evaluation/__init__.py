"""What a trained member is worth: one measure a file, each a callable with its settings."""

from vaesweep.evaluation.anomaly import Anomaly
from vaesweep.evaluation.arithmetic import Arithmetic
from vaesweep.evaluation.contraction import Contraction
from vaesweep.evaluation.denoising import Denoising
from vaesweep.evaluation.disentanglement import Disentanglement
from vaesweep.evaluation.field import Field
from vaesweep.evaluation.grid import Grid
from vaesweep.evaluation.inpainting import Inpainting
from vaesweep.evaluation.interpolation import Interpolation
from vaesweep.evaluation.likelihood import Likelihood
from vaesweep.evaluation.posterior import Posterior
from vaesweep.evaluation.probe import Probe
from vaesweep.evaluation.rate import Rate
from vaesweep.evaluation.reconstruction import Reconstruction
from vaesweep.evaluation.retrieval import Retrieval
from vaesweep.evaluation.samples import Samples
from vaesweep.evaluation.traversal import Traversal
from vaesweep.evaluation.units import Units
from vaesweep.evaluation.variance import Variance

__all__ = [
    "Anomaly",
    "Arithmetic",
    "Contraction",
    "Denoising",
    "Disentanglement",
    "Field",
    "Grid",
    "Inpainting",
    "Interpolation",
    "Likelihood",
    "Posterior",
    "Probe",
    "Rate",
    "Reconstruction",
    "Retrieval",
    "Samples",
    "Traversal",
    "Units",
    "Variance",
]
