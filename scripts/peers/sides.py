"""Starts the sides, each case in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import time

import common

FOLDER = os.path.dirname(os.path.abspath(__file__))
CACHE = common.cache("bench-peers", "CLICKREC_PEERS_CACHE")
PACKAGES = {"implicit": ["implicit==0.7.3"], "spark": ["pyspark==4.2.0", "numpy"]}
STARTED = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - STARTED:6.0f} s] {text}", file=sys.stderr, flush=True)


def python_with(peer):
    """The Python of a virtual environment that has a peer."""
    return common.venv(os.path.join(CACHE, peer), *PACKAGES[peer])


def run(command, case, threads):
    """What the process answers to the case, on its last line. It has as many cores as threads."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": str(threads)}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.run(
        [*command, json.dumps(case | {"threads": threads})],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1_200,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return json.loads(process.stdout.splitlines()[-1])


def told(side, case):
    known = ("what", "factors", "solver", "regularization", "confidence")
    progress(" ".join([side, os.path.basename(case.get("matrix", "")), *(f"{case[k]}" for k in known if k in case)]))


class Sides:
    """Ours is built, and theirs installed, when first needed."""

    def __init__(self):
        self.binary = None

    def ours(self, threads=2, **case):
        if self.binary is None:
            progress("building")
            self.binary = common.bench("peers")
        told("clickrec", case)
        return run([self.binary], case, threads)

    def implicit(self, threads=2, **case):
        told("implicit", case)
        return run([python_with("implicit"), os.path.join(FOLDER, "implicit_side.py")], case, threads)

    def spark(self, threads=2, **case):
        if shutil.which("java") is None:
            raise common.Unavailable("no java")
        python = python_with("spark")
        told("spark", case)
        return run([python, os.path.join(FOLDER, "spark_side.py")], case, threads)
