"""Offline W&B recordings, read by W&B itself."""

import json
import subprocess
import sys

from vaesweep.records import wandb_lifecycle


def recorded(folder):
    """The newest offline run in a folder, as W&B's own reader sees it.

    On a busy machine the reader answers before it has read the file: it is asked again until it knows the name.
    """
    command = [
        sys.executable,
        "-m",
        "wandb",
        "leet",
        "inspect",
        "--summary",
        "--json",
        wandb_lifecycle.recordings(folder)[-1],
    ]
    for _ in range(10):
        read = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        if read["name"]:
            break
    return read
