"""Imports Lightning in fewer seconds; everything works without it.

Lightning imports torchmetrics for two base classes. torchmetrics imports every optional package that it finds, for
metrics of sound, text and images that nothing here uses. The garbage collector looks through all modules again and
again while others are imported, and finds nothing: it is off for the import, and leaves out afterwards what it brought.
"""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.metadata import PackageNotFoundError
from typing import Any

collects = gc.isenabled()
gc.disable()

# isort: split
import torch  # noqa: E402, F401  before anything is hidden from it
from lightning_utilities.core import imports  # noqa: E402


class HiddenPackageFinder(MetaPathFinder):
    """Import finder, first in `sys.meta_path`, that makes `packages` look not installed."""

    def __init__(self, packages: set[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in self.packages:
            raise ModuleNotFoundError(f"{name} is hidden", name=name)

    def find_distributions(self, context: Any) -> Iterator[Any]:
        if context.name in self.packages:
            raise PackageNotFoundError(context.name)
        return iter(())


@contextmanager
def hide_packages(*packages: str) -> Iterator[None]:
    """Hide those `packages` that are not imported yet from the imports in the block."""
    finder = HiddenPackageFinder(set(packages) - sys.modules.keys())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        # answers cached in the block are wrong from here on
        imports.package_available.cache_clear()
        imports.module_available.cache_clear()


with hide_packages("matplotlib", "scipy", "torchvision"):
    import torchmetrics  # noqa: F401

import lightning  # noqa: E402, F401

if collects:
    gc.freeze()
    atexit.register(gc.unfreeze)  # some modules report objects that are still there at the end
    gc.enable()
