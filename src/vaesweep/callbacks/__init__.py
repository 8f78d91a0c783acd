"""Callbacks say when; what happens is written elsewhere."""

from vaesweep.callbacks.drawing import Drawing
from vaesweep.callbacks.interruption import Interrupted, Interruption, interrupt

__all__ = ["Drawing", "Interrupted", "Interruption", "interrupt"]
