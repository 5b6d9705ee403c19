# SPDX-License-Identifier: BSD-2-Clause
"""The kernel lab: Debian kernels under QEMU, next to native programs. docs/kernel-lab.md is its manual."""
from .errors import DeadGuest, LabError, TimedOut, Unavailable
from .job import PATIENCE
from .pair import Pair, PairedSession
from .session import Session

__all__ = ["Session", "Pair", "PairedSession", "PATIENCE", "LabError", "Unavailable", "DeadGuest", "TimedOut"]
