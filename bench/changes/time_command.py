"""Run a command and write its time and its peak memory to a file, as JSON.

A small process of its own: the kernel counts the memory of the forking process as the command's.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> int:
    """`python time_command.py RESULT ARGV...`; returns the command's exit code."""
    start = time.perf_counter()
    done = subprocess.run(sys.argv[2:], check=False)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    with open(sys.argv[1], "w", encoding="ascii") as result:
        json.dump({"seconds": seconds, "peak": peak}, result)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
