"""Metrics: pure functions, and torchmetrics classes for sums over batches and processes."""

from vaesweep.metrics.average import Average
from vaesweep.metrics.latent_activity import CodeVariance, active_units, activity
from vaesweep.metrics.per_image_scores import PerImageScores
from vaesweep.metrics.standard_error import standard_error

__all__ = ["Average", "CodeVariance", "PerImageScores", "active_units", "activity", "standard_error"]
