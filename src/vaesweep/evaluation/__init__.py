"""Measures of trained models, and what runs them and records what they find."""

from vaesweep.evaluation.context import EvalContext
from vaesweep.evaluation.measure_interface import MeasureResult, NotApplicable, Value
from vaesweep.evaluation.measures.anomaly import Anomaly
from vaesweep.evaluation.measures.arithmetic import Arithmetic
from vaesweep.evaluation.measures.code_jacobian import CodeJacobian
from vaesweep.evaluation.measures.disentanglement import Disentanglement
from vaesweep.evaluation.measures.ex_post_density import ExPostDensity
from vaesweep.evaluation.measures.explained_variance import ExplainedVariance
from vaesweep.evaluation.measures.inpainting import Inpainting
from vaesweep.evaluation.measures.interpolation import Interpolation
from vaesweep.evaluation.measures.kl_decomposition import KLDecomposition
from vaesweep.evaluation.measures.latent_manifold import LatentManifold
from vaesweep.evaluation.measures.linear_optimum import LinearOptimum
from vaesweep.evaluation.measures.nll import NLL
from vaesweep.evaluation.measures.noise_robustness import NoiseRobustness
from vaesweep.evaluation.measures.posterior_spread import PosteriorSpread
from vaesweep.evaluation.measures.probe import Probe
from vaesweep.evaluation.measures.rate_distortion_curve import RateDistortionCurve
from vaesweep.evaluation.measures.reconstruction import Reconstruction
from vaesweep.evaluation.measures.reconstruction_field import ReconstructionField
from vaesweep.evaluation.measures.retrieval import Retrieval
from vaesweep.evaluation.measures.samples import Samples
from vaesweep.evaluation.measures.sparse_units import SparseUnits
from vaesweep.evaluation.measures.traversal import Traversal

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
