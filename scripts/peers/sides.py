"""Starts the sides, each case in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(FOLDER))
CACHE = os.environ.get("CLICKREC_PEERS_CACHE", os.path.expanduser("~/.cache/clickrec-bench-peers"))
STARTED = time.monotonic()


class Unavailable(Exception):
    """What a side needs is not there."""


def progress(text):
    print(f"[{time.monotonic() - STARTED:6.0f} s] {text}", file=sys.stderr, flush=True)


def venv(name, *packages):
    """The Python of a virtual environment with these packages; installs them the first time."""
    folder = os.path.join(CACHE, name)
    python = os.path.join(folder, "bin", "python")
    installed = os.path.join(folder, "installed")
    if not os.path.exists(installed):
        progress(f"installing {' '.join(packages)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = subprocess.run([python, "-m", "pip", "install", "-q", *packages], stderr=subprocess.PIPE, text=True)
        if pip.returncode != 0:
            raise Unavailable(f"cannot install {' '.join(packages)}: {(pip.stderr.strip().splitlines() or ['?'])[-1]}")
        open(installed, "w").close()
    return python


def run(command, case, threads):
    """What the process answers to the case, on its last line. It has as many cores as threads."""
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
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
            build = ["cargo", "build", "--release", "--bench", "peers", "--message-format=json-render-diagnostics"]
            out = subprocess.run(build, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
            self.binary = next(
                message["executable"]
                for message in map(json.loads, out.splitlines())
                if message.get("executable") and message["target"]["name"] == "peers"
            )
        told("clickrec", case)
        return run([self.binary], case, threads)

    def implicit(self, threads=2, **case):
        python = venv("implicit", "implicit==0.7.3")
        told("implicit", case)
        return run([python, os.path.join(FOLDER, "implicit_side.py")], case, threads)

    def spark(self, threads=2, **case):
        if shutil.which("java") is None:
            raise Unavailable("no java")
        python = venv("spark", "pyspark==4.2.0", "numpy")
        told("spark", case)
        return run([python, os.path.join(FOLDER, "spark_side.py")], case, threads)
