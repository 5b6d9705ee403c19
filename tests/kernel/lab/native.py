# SPDX-License-Identifier: BSD-2-Clause
"""Native commands of a session: they run at full speed, in the network namespace at the other end of the guest's wire."""
import os
import subprocess

from .errors import LabError, TimedOut
from .job import NativeJob
from .machine import dying_with_parent


class Native:
    def __init__(self, network, directory):
        self.network = network
        self.directory = directory
        self.next_job = 1

    def popen(self, command, environment=None, **options):
        """subprocess.Popen of a command that dies with this process; RDSCO_LAB_SESSION in its environment names the session."""
        if self.network is None:
            raise LabError("this session has no network: start it with tap")
        arguments = ["sh", "-c", command] if isinstance(command, str) else [str(argument) for argument in command]
        environment = {**os.environ, **(environment or {}), "RDSCO_LAB_SESSION": str(self.directory)}
        return subprocess.Popen(self.network.wrap(dying_with_parent(arguments)), env=environment,
                                pass_fds=self.network.descriptors, **options)

    def start(self, command, environment=None):
        """Starts a command (a list of arguments, or a shell text) and returns its NativeJob."""
        directory = self.directory / "native" / str(self.next_job)
        self.next_job += 1
        return NativeJob(directory, lambda **files: self.popen(command, environment, **files))

    def run(self, command, timeout=None, environment=None):
        """Runs a command to its end: (status, stdout, stderr)."""
        job = self.start(command, environment)
        try:
            status = job.wait(timeout)
        except TimedOut:
            job.process.kill()
            raise
        return status, job.stdout(), job.stderr()
