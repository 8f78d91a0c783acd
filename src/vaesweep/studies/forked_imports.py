"""What the jobs of a study import, for the server that they are forked from: see `forked_script`.

Not W&B, which makes a temporary folder when it is imported, and removes it when the first process ends.
"""

# ruff: noqa: F401
from vaesweep import fast_lightning_import

# isort: split
import hydra._internal.core_plugins.basic_launcher
import hydra._internal.core_plugins.basic_sweeper

from vaesweep import data, figures, models
from vaesweep.training import callbacks, run_and_record
