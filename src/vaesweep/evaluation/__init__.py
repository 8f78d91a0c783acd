"""Measures of trained models: one per file, each a callable with its settings."""

from vaesweep.evaluation.anomaly import Anomaly
from vaesweep.evaluation.arithmetic import Arithmetic
from vaesweep.evaluation.code_jacobian import CodeJacobian
from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.disentanglement import Disentanglement
from vaesweep.evaluation.ex_post_density import ExPostDensity
from vaesweep.evaluation.explained_variance import ExplainedVariance
from vaesweep.evaluation.inpainting import Inpainting
from vaesweep.evaluation.interpolation import Interpolation
from vaesweep.evaluation.kl_decomposition import KLDecomposition
from vaesweep.evaluation.latent_manifold import LatentManifold
from vaesweep.evaluation.linear_optimum import LinearOptimum
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.evaluation.nll import NLL
from vaesweep.evaluation.noise_robustness import NoiseRobustness
from vaesweep.evaluation.posterior_spread import PosteriorSpread
from vaesweep.evaluation.probe import Probe
from vaesweep.evaluation.rate_distortion_curve import RateDistortionCurve
from vaesweep.evaluation.reconstruction import Reconstruction
from vaesweep.evaluation.reconstruction_field import ReconstructionField
from vaesweep.evaluation.retrieval import Retrieval
from vaesweep.evaluation.samples import Samples
from vaesweep.evaluation.sparse_units import SparseUnits
from vaesweep.evaluation.traversal import Traversal

__all__ = [
    "NLL",
    "Anomaly",
    "Arithmetic",
    "CodeJacobian",
    "Disentanglement",
    "EvalContext",
    "ExPostDensity",
    "ExplainedVariance",
    "Inpainting",
    "Interpolation",
    "KLDecomposition",
    "LatentManifold",
    "LinearOptimum",
    "MeasureResult",
    "NoiseRobustness",
    "NotApplicable",
    "PosteriorSpread",
    "Probe",
    "RateDistortionCurve",
    "Reconstruction",
    "ReconstructionField",
    "Retrieval",
    "Samples",
    "SparseUnits",
    "Traversal",
    "Value",
]
