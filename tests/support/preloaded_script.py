"""Runs a script of ours that forks jobs, where this process has imported already what jobs import.

`python preloaded_script.py SCRIPT ARGUMENTS`. The script's forkserver is a fork of this process, so that no
second one imports for ten seconds what is there.
"""

import os
import runpy
import sys
from multiprocessing import forkserver, util
from pathlib import Path
from unittest.mock import patch


def fork_server(path, args, passfds):
    """In place of `multiprocessing.util.spawnv_passfds`: runs the code of `python -c CODE` in a fork; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        low, high = sorted(passfds)
        for first, end in ((3, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, end)
        exec(args[-1], {})
    finally:
        os._exit(0)


def main():
    forkserver.resource_tracker.ensure_running()  # it would be forked as well
    forkserver.set_forkserver_preload([])
    with patch.object(util, "spawnv_passfds", fork_server):
        forkserver.ensure_running()
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
