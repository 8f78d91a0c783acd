"""Folders whose names OmegaConf takes for references, such as `${seed}`: taken as they are."""

import os
import re
from types import ModuleType
from typing import Any

from hydra._internal import config_loader_impl
from hydra.core import utils


def escape(text: str) -> str:
    """`text`, the path of a folder for example, as the value of a setting that resolves to just that."""
    return re.sub(r"(\\*)\$\{", lambda start: start[1] * 2 + r"\${", text)


def take_folders_literally() -> None:
    """Make Hydra keep the working folder and the folder of a run as settings that resolve to them.

    It keeps them as they are, so that a run in a folder called `${seed}` would write to one called 0.
    """
    vars(config_loader_impl)["os"] = Overlay(os, getcwd=lambda: escape(os.getcwd()))
    vars(utils)["os"] = Overlay(os, path=Overlay(os.path, abspath=lambda path: escape(os.path.abspath(path))))


class Overlay:
    """A module with some of its attributes replaced."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        self.module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)
