"""What a measurement was made on: processor, memory and versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

from kerashw.provenance import git_commit, versions

PEERS = ("torch", "skorch", "optuna", "scipy")


def machine():
    """The processor's name, the cores this process may use, and the memory in GB."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "memory_gb": _memory(), "system": platform.system()}


def software():
    """{package: version}, None for a peer that is not installed, and the commit of this checkout."""
    return {**versions(), **{name: _version(name) for name in PEERS}, "git_commit": git_commit()}


def _processor():
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # not told by every system
        return None


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
