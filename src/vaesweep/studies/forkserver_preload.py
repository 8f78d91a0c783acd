"""What the jobs of a study import, for the server that they are forked from: see `forkserver_process`."""

# ruff: noqa: F401
import atexit
import gc
import os
import signal

import wandb.sdk.launch  # as W&B does at its start; before torch, because it looks through all modules that are there

# isort: split
from vaesweep.training import fast_lightning_import

# isort: split
import hydra._internal.core_plugins.basic_launcher
import hydra._internal.core_plugins.basic_sweeper
import pandas  # as a table of W&B's does at the end of a run

from vaesweep import data, figures, models
from vaesweep.training import callbacks, run_and_record

# a signal to all processes of a study, as `timeout` sends it, must leave the server: without it nobody learns when its
# jobs end, and those that save a checkpoint would be taken for dead
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)

# no job's garbage collector looks through all this again, and no page of it is copied for that
gc.freeze()
atexit.register(gc.unfreeze)  # some of these modules report objects that are still there at the end
