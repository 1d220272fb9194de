"""How the benchmarks measure, and how they say what they found."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def resident_mib(pid):
    """What a process holds in memory now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Family(threading.Thread):
    """Watches a process and all its children: `peak` is the most that they held together, in MiB, every 0.1 s."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.peak = max(self.peak, sum(map(self.held, self.members())))
            self.ended.wait(0.1)

    def members(self):
        children = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
                children.setdefault(int(parent), []).append(int(pid))
        family = [self.pid]
        for pid in family:
            family.extend(children.get(pid, []))
        return family

    @staticmethod
    def held(pid):
        with contextlib.suppress(OSError):
            return resident_mib(pid)
        return 0


def measured(command, family=False, **options):
    """Runs a command; what it prints, its wall seconds, and its peak memory in MiB, of its children too if asked."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    watched = Family(process.pid) if family else None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds, peak = time.monotonic() - started, usage.ru_maxrss / 1024
    if watched:
        watched.ended.set()
        peak = max(peak, watched.peak)
    if status != 0:
        sys.exit(f"error: {' '.join(command)} failed")
    return out, seconds, peak


def verdict(name, value, wanted, unit="", at_least=False):
    """One figure, next to its target."""
    good = value >= wanted if at_least else value <= wanted
    limit = f"{'at least' if at_least else 'at most'} {wanted:g}{unit}"
    print(f"{name}: {value:.2f}{unit} (wanted: {limit}){'' if good else '  MISSED'}")


def judged(name, seen, wanted, good):
    """The same in words, one line of a list."""
    print(f"{'ok    ' if good else 'MISSED'} {name}: {seen} (wanted: {wanted})")
