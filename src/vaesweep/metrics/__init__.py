"""Metrics: pure functions, and torchmetrics classes for sums over batches and processes."""

from vaesweep.metrics.average import Average
from vaesweep.metrics.latent_activity import CodeVariance, active_units, activity

__all__ = ["Average", "CodeVariance", "active_units", "activity"]
