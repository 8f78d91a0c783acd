"""Metrics: a pure function where one makes sense, in a torchmetrics shell that adds up over batches and processes."""

from vaesweep.metrics.average import Average
from vaesweep.metrics.latents import CodeVariance, active_units, activity

__all__ = ["Average", "CodeVariance", "active_units", "activity"]
