# SPDX-License-Identifier: BSD-2-Clause
"""Soft-iWARP. Debian's kernels leave it out: it is built from Debian's source of the same version, against Debian's headers, both
unpacked and never installed."""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import kernels
from .errors import Unavailable

PROGRAMS = (("make", "make"), ("gcc-12", "gcc-12"), ("strip", "binutils"))
DRIVER = Path("drivers/infiniband/sw/siw")


def add_to(kernel, say=lambda text: None):
    """Afterwards the modules of the kernel have siw among them. Unavailable says why there is none."""
    if is_in(kernel):
        return
    kernels.install_programs(say, PROGRAMS)
    try:
        with kernels.locked_cache() as cache:
            if not is_in(kernel):
                build(kernel, cache, say)
    except OSError as error:
        raise Unavailable(f"soft-iWARP cannot be built in the kernel cache: {error}") from None


def is_in(kernel):
    # Written last.
    listed = kernel.modules / kernel.release / "modules.dep"
    return "/siw.ko" in listed.read_text()


def build(kernel, cache, say):
    headers = f"linux-headers-{kernel.release}"
    source = f"linux-source-{re.match(r'[0-9]+[.][0-9]+', kernel.release)[0]}"
    version = version_of(headers)
    say(f"building soft-iWARP for {kernel.release} from {source} {version}")
    work = Path(tempfile.mkdtemp(prefix=".siw.", dir=cache))
    try:
        fetch([headers, *what_it_needs(headers), f"{source}={version}"], work)
        tree = work / "usr" / "src"
        run(["tar", "xJf", tree / f"{source}.tar.xz", "-C", work, f"{source}/{DRIVER}"])
        # The headers know their common part by the place where it would be installed.
        makefile = tree / headers / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", f"{tree}/"))
        run(["make", "-C", tree / headers, f"M={work / source / DRIVER}", "CONFIG_RDMA_SIW=m",
             "CONFIG_DEBUG_INFO_BTF_MODULES=", f"-j{os.cpu_count()}", "modules"])
        built = work / source / DRIVER / "siw.ko"
        run(["strip", "--strip-debug", built])
        place = kernel.modules / kernel.release / "extra"
        place.mkdir(exist_ok=True)
        built.rename(place / "siw.ko")
        run([kernels.program_path("depmod"), "-b", kernel.directory, kernel.release])
    finally:
        shutil.rmtree(work, ignore_errors=True)


def version_of(package):
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", package], capture_output=True, text=True)
    found = re.search(r"^Version: (\S+)$", shown.stdout, re.MULTILINE)
    if not found:
        raise Unavailable(f"soft-iWARP cannot be built: apt knows no package {package}")
    return found[1]


def what_it_needs(headers):
    listed = subprocess.run(["apt-cache", "depends", headers], capture_output=True, text=True)
    return re.findall(r"^ +Depends: (linux-(?:headers|kbuild)-\S+)$", listed.stdout, re.MULTILINE)


def fetch(packages, into):
    for package in packages:
        done = subprocess.run(["apt-get", "download", package], cwd=into, capture_output=True)
        if done.returncode != 0:
            raise Unavailable(f"soft-iWARP cannot be built: apt-get download {package} failed: {kernels.last_line(done.stderr)}")
    for archive in into.glob("*.deb"):
        run(["dpkg", "-x", archive, into])
        archive.unlink()


def run(command):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, env=environment, capture_output=True)
    if done.returncode != 0:
        # The first is the cause; make reports it upwards in more lines.
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise Unavailable(f"soft-iWARP cannot be built: {' '.join(map(str, command))} failed: {said[0]}")
