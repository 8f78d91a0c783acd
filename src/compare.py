"""Compare runs: `python src/compare.py STUDY [STUDY ...]`."""

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Write the report of the runs in some folders; 1 when there is nothing to report."""
    parser = argparse.ArgumentParser(description="What reconstruction costs in KL: a report over many runs.")
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="STUDY", help="folders of studies or runs; two overlay"
    )
    parser.add_argument("--out", type=Path, help="where the report goes (default: report/ in the first folder)")
    given = parser.parse_args()
    from vaesweep.comparison.reading import read  # here, because --help needs no pandas

    reading = read(given.folders)
    for remark in reading.remarks:
        print(remark, file=sys.stderr)
    if not reading.runs:
        print("error: no runs to compare", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
