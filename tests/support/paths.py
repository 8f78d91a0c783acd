"""Folders of this repository."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
OUTSIDE = ROOT / "tests" / "outside"
"""A folder as a person would have it: a model, a network, a data set and a measure of their own."""
