"""Callbacks say when; what happens is written elsewhere."""

from vaesweep.callbacks.curves import Curves
from vaesweep.callbacks.drawing import Drawing
from vaesweep.callbacks.examples import Examples
from vaesweep.callbacks.interruption import Interruption
from vaesweep.callbacks.members import OWN, SHARED, Members
from vaesweep.callbacks.progress import Progress

__all__ = ["OWN", "SHARED", "Curves", "Drawing", "Examples", "Interruption", "Members", "Progress"]
