"""Callbacks say when; what happens is written elsewhere."""

from vaesweep.callbacks.drawing import Drawing
from vaesweep.callbacks.interruption import Interrupted, Interruption, interrupt
from vaesweep.callbacks.progress import Progress

__all__ = ["Drawing", "Interrupted", "Interruption", "Progress", "interrupt"]
