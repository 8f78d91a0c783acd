"""Folders, and the names of all models."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
OUTSIDE = ROOT / "tests" / "outside"
"""A folder as a person would have it: a model, a network, a data set and a measure of their own."""
