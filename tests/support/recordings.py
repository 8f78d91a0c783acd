"""Offline W&B recordings, read by W&B itself."""

import json
import subprocess
import sys

from vaesweep.records import wandb_recording


def recorded(folder):
    """The newest offline run in a folder, as W&B's own reader sees it."""
    command = [
        sys.executable,
        "-m",
        "wandb",
        "leet",
        "inspect",
        "--summary",
        "--json",
        wandb_recording.recordings(folder)[-1],
    ]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
