"""Metrics: a pure function where one makes sense, in a torchmetrics shell that adds up over batches and processes."""

from vaesweep.metrics.average import Average
from vaesweep.metrics.latents import ActiveUnits, activity

__all__ = ["ActiveUnits", "Average", "activity"]
