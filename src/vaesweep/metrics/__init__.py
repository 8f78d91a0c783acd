"""Metrics: pure functions, and torchmetrics classes for sums over batches and processes."""

from vaesweep.metrics.average import Average
from vaesweep.metrics.image_scores import ImageScores, standard_error
from vaesweep.metrics.latent_activity import CodeVariance, active_units, activity

__all__ = ["Average", "CodeVariance", "ImageScores", "active_units", "activity", "standard_error"]
