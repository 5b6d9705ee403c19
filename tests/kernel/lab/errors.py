# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong in the lab, each with the exit status the command line gives it."""

TIMED_OUT = 124  # as timeout(1)
DEAD_GUEST = 125
NOT_RUN = 77  # as ctest and automake: a reason was printed, nothing was tried


class LabError(Exception):
    status = 1


class Unavailable(LabError):
    """This machine cannot do it (no permission, no package, no network): not a failure of what was to be run."""

    status = NOT_RUN


class DeadGuest(LabError):
    """The guest kernel panicked, QEMU ended, or the guest never came up."""

    status = DEAD_GUEST


class TimedOut(LabError):
    status = TIMED_OUT
