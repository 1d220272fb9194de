"""What the scripts share: where things are, what comes from package registries, the program, a project to run it in,
and what runs alongside it."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(SCRIPTS)
# Cargo runs in the repository, so a relative folder is one below it.
TARGET = os.path.join(REPOSITORY, os.environ.get("CARGO_TARGET_DIR", "target"))
START_SECONDS_MAX = 60


class Unavailable(SystemExit):
    """Something from elsewhere cannot be had. Scripts that do without catch this; others end with its text."""


def fail(message, way_out):
    sys.exit(f"error: {message}\n  help: {way_out}")


def skip(reason):
    """Ends a script that cannot do its work, which is a failure in continuous integration only."""
    print(f"SKIPPED {os.path.basename(sys.argv[0])}: {reason}")
    sys.exit(1 if os.environ.get("CI") else 0)


# What comes from package registries


def cache(name, variable=None):
    """The folder where something is kept between runs; an environment variable may name another."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    named = os.environ.get(variable) if variable else None
    return os.path.abspath(named or os.path.join(caches, f"clickrec-{name}"))


def venv(folder, *packages):
    """The Python of a virtual environment with these packages, which come from PyPI where they are not there yet."""
    python = os.path.join(folder, "bin", "python")
    # Written when all is there, after the line that says by which Python: another cannot load what it finds.
    mark, made_by = Path(folder, "installed"), f"{sys.version} in {sys.base_prefix}".replace("\n", " ")
    by, *installed = mark.read_text().splitlines() or [""] if mark.exists() and os.path.exists(python) else [""]
    installed = installed if by == made_by else []
    missing = [package for package in packages if package not in installed]
    if missing:
        print(f"installing {' '.join(missing)}", file=sys.stderr, flush=True)
        make = [sys.executable, "-m", "venv", *([] if by == made_by else ["--clear"]), folder]
        fetch = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *missing]
        # Standard output is the script's own.
        if any(subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0 for command in (make, fetch)):
            raise Unavailable(f"cannot install {' '.join(missing)}")
        replaced = {package.partition("==")[0] for package in missing}
        kept = [package for package in installed if package.partition("==")[0] not in replaced]
        mark.write_text("\n".join([made_by, *kept, *missing, ""]))
    return python


def tools(*packages):
    """The same in the one environment that all checks share."""
    return venv(cache("venv", "CLICKREC_VENV"), *packages)


def go_on_in(python):
    """Starts the script again with the Python of a virtual environment, unless that is what runs it."""
    if os.path.dirname(sys.executable) != os.path.dirname(python):
        os.execv(python, [python, *sys.argv])


def maven(folder, what, *dependencies):
    """The folder with the jars of these (group, name, version) and of all that they need, from Maven Central once."""
    one = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
    needs = "".join(one.format(*dependency) for dependency in dependencies)
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>clickrec</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<dependencies>{needs}</dependencies></project>"
    )
    return from_maven(folder, what, "dependency:copy-dependencies", "-DincludeScope=runtime", pom=pom)


def maven_archive(folder, what, artifact):
    """The folder with what is in an archive (group:name:version:type:classifier), from Maven Central once."""
    return from_maven(folder, what, "dependency:unpack", f"-Dartifact={artifact}")


def from_maven(folder, what, *goal, pom=None):
    """The folder that a goal of Maven fills; what is there is not fetched again."""
    if os.path.isdir(folder):
        return folder
    if not shutil.which("mvn"):
        fail("Maven (mvn) is missing", "run scripts/setup")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as part:
        if pom:
            Path(part, "pom.xml").write_text(pom)
        output = os.path.join(part, "output")
        command = ["mvn", "-B", "-q", *goal, f"-DoutputDirectory={output}"]
        if subprocess.run(command, cwd=part, stdout=sys.stderr, check=False).returncode != 0:
            fail(f"Maven could not fetch {what}", "see above; it needs Maven Central or a mirror of it")
        if not os.path.isdir(folder):  # another process may have been faster
            os.rename(output, folder)
    return folder


def newest_java(version_min):
    """The `java` of the newest Java on this machine; nothing where that is older than a version."""
    on_path = shutil.which("java")
    homes = [os.environ.get("JAVA_HOME"), on_path and Path(os.path.realpath(on_path)).parent.parent]
    homes += Path("/usr/lib/jvm").glob("*")
    found = [(java_version(home), os.path.join(home, "bin", "java")) for home in homes if home]
    version, java = max(found, default=(0, None))
    return java if version >= version_min else None


def java_version(home):
    """The version of the Java in a folder: 17, 21, …; 0 where there is none."""
    release = Path(home, "release")
    if not (release.is_file() and os.access(os.path.join(home, "bin", "java"), os.X_OK)):
        return 0
    version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
    return int(version[1]) if version else 0


# The program


def build(profile="dist"):
    """Builds the program: as it is shipped, which is what benchmarks measure, or with another of Cargo's profiles."""
    subprocess.run(["cargo", "build", "--profile", profile, "--workspace"], cwd=REPOSITORY, check=True)
    return os.path.join(TARGET, profile, "clickrec")


def program():
    """The program that CLICKREC names, or this repository's as it is shipped."""
    named = os.environ.get("CLICKREC")
    return os.path.abspath(named) if named else build()


def built():
    """The program of `cargo run --release`, for checks that follow a build."""
    there = os.path.join(TARGET, "release", "clickrec")
    return there if os.path.exists(there) else build("release")


def bench(name):
    """The executable of a benchmark."""
    command = ["cargo", "bench", "--bench", name, "--no-run", "--message-format=json-render-diagnostics"]
    out = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in out.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name)


class Shop:
    """A project, and the program that runs in its folder."""

    def __init__(self, program, folder, **environment):
        self.program, self.folder = program, Path(folder)
        self.environment = {**os.environ, **environment}

    def init(self):
        subprocess.run([self.program, "--quiet", "init", self.folder], check=True)
        return self

    def started(self, *arguments, **options):
        """A command that runs by itself."""
        command = [self.program, "--quiet", *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **options)

    def run(self, *arguments):
        """What a command prints."""
        with self.started(*arguments, stdout=subprocess.PIPE) as process:
            out = process.stdout.read()
        if process.returncode != 0:
            sys.exit(f"error: clickrec {' '.join(map(str, arguments))} failed")
        return out

    def remove_samples(self):
        """Leaves no events; the catalog stays."""
        (self.folder / "sample_data" / "clicks.json").unlink()

    def configure(self, pattern, settings):
        """Writes settings in place of the first match in the project's file."""
        file = self.folder / "pipelines.yaml"
        before = file.read_text()
        after = re.sub(pattern, lambda _: settings, before, count=1)
        assert after != before, f"{pattern} is not in {file}"
        file.write_text(after)

    def add_target(self, name, *settings):
        lines = "".join(f"    {setting}\n" for setting in settings)
        self.configure("targets:\n", f"targets:\n  {name}:\n{lines}" if lines else f"targets:\n  {name}: {{}}\n")

    def move_to(self, azurite):
        """Has all commands work on a lake in Azurite; the address of the lake."""
        lake = f"{azurite['url']}/shop"
        storage = 'azure_storage_sas_token: "${SAS}", azure_storage_use_emulator: "true"'
        self.add_target("cloud", f"lake: {lake}", f"storage: {{ {storage} }}")
        self.environment["CLICKREC_TARGET"] = "cloud"
        self.environment |= {"SAS": azurite["sas"], "AZURITE_BLOB_STORAGE_URL": azurite["emulator"]}
        return lake


def demo(program, folder):
    """The project of the demo, which runs first."""
    command = [program, "--quiet", "demo", "--lake", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Shop(program, folder)


# What runs alongside the script


def free_ports(count):
    """Ports of loopback that are all free at once."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def die_with_parent():
    """Even where the script is killed, what it started goes with it (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def child(command, log, **options):
    """Starts a process that writes what it says to the end of a file."""
    with open(log, "a") as output:
        options |= {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        return subprocess.Popen(command, preexec_fn=die_with_parent, **options)


def until(process, look, seconds=START_SECONDS_MAX):
    """What `look` finds, as soon as it finds something; nothing where the process ends or takes longer than that."""
    give_up = time.monotonic() + seconds
    while not (found := look()):
        if process.poll() is not None or time.monotonic() > give_up:
            return None
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def served(script, *arguments):
    """What a script that serves something tells of it: it serves until the block ends."""
    command = [os.path.join(SCRIPTS, script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        told = process.stdout.readline()
        if not told:
            raise Unavailable(f"scripts/{script} {' '.join(arguments)} did not start")
        yield json.loads(told)


@contextlib.contextmanager
def serving(shop, *options):
    """`clickrec serve` on a project: its process, its address once it answers, and the file of what it says."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        command = [shop.program, "serve", "--bind", "127.0.0.1:0", *options]
        process = child(command, log.name, cwd=shop.folder)
        try:
            base = until(process, lambda: healthy(Path(log.name).read_text()))
            if not base:
                sys.exit(f"error: the server did not start\n{Path(log.name).read_text()}")
            yield process, base, Path(log.name)
        finally:
            process.terminate()
            process.wait()


def healthy(told):
    """The address that a server has told, if it answers there."""
    address = re.search(r"dashboard at (http://[^/\s]+)/", told)
    if not address:
        return None
    try:
        urllib.request.urlopen(f"{address[1]}/api/v1/health").close()
    except OSError:
        return None
    return address[1]
