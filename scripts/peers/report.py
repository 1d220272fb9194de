"""The figures: printed as they come, and kept for the JSON file."""

import json
import os


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{len(os.sched_getaffinity(0))} cores of {model}"


def shown(value, unit):
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 1_000 else f"{value:#.4g} {unit}"


class Report:
    def __init__(self, path, quick):
        self.path, self.section, self.figures = path, "", []
        self.head = {"machine": machine(), "quick": quick}
        print(f"{machine()}{', small sizes: no figures to go by' if quick else ''}")
        print("ratio: clickrec's figure by the peer's; memory: the peak of the whole process", flush=True)

    def start(self, section, title):
        self.section = section
        print(f"\n{title}\n{'':<42}{'peer':>12}{'clickrec':>12}{'ratio':>8}", flush=True)

    def row(self, name, peer, ours, unit, note=""):
        """One figure of both sides, either of which may be missing."""
        ratio = ours / peer if peer and ours is not None else None
        times = "" if ratio is None else f"{ratio:.3f}"
        print(f"{name:<42}{shown(peer, unit):>12}{shown(ours, unit):>12}{times:>8}  {note}".rstrip(), flush=True)
        self.keep(name=name, peer=peer, clickrec=ours, unit=unit, ratio=ratio, note=note)

    def missing(self, section, text):
        print(text, flush=True)
        self.section = section
        self.keep(note=text)

    def keep(self, **figure):
        """Rewrites the file, so that it has everything up to now, whatever happens later."""
        self.figures.append({"section": self.section, **figure})
        if self.path:
            with open(self.path, "w") as file:
                json.dump({**self.head, "figures": self.figures}, file, indent=1)
