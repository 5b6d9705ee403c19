# SPDX-License-Identifier: BSD-2-Clause
"""A running guest: commands in it, side by side, each with its own output files and status."""
import os
import signal
import threading

from .errors import DeadGuest, TimedOut
from .job import GuestJob

BOOT_SECONDS = 180  # 3 on an idle machine; emulation shares a busy one


class Guest:
    def __init__(self, machine):
        self.machine = machine
        self.changed = threading.Condition()
        self.up = False
        self.dead = False
        self.finished = {}
        self.next_job = 1
        threading.Thread(target=self._read_control, daemon=True).start()

    def wait_until_up(self, timeout=BOOT_SECONDS):
        with self.changed:
            self.changed.wait_for(lambda: self.up or self.dead, timeout)
            if not self.up:
                what = "the guest died while it started" if self.dead else f"the guest did not start in {timeout} s"
                raise DeadGuest(f"{what}\n{self.machine.evidence()}")

    def start(self, command, environment=None, directory=None):
        """Starts a command (a list of arguments, or a shell text) and returns its GuestJob."""
        with self.changed:
            job = GuestJob(self, str(self.next_job))
            self.next_job += 1
        job.prepare(command, environment or {}, directory or os.getcwd())
        self.order(f"run {job.name}")
        return job

    def run(self, command, timeout=None, **options):
        """Runs a command to its end: (status, stdout, stderr)."""
        job = self.start(command, **options)
        try:
            status = job.wait(timeout)
        except TimedOut:
            job.signal(signal.SIGKILL)
            raise
        return status, job.stdout(), job.stderr()

    def shell(self):
        """An interactive shell on the guest's terminal; returns its status."""
        self.order("shell")
        return self.wait_for_end("shell", None)

    def order(self, line):
        try:
            self.machine.control.sendall(line.encode() + b"\n")
        except OSError:
            raise DeadGuest(f"the guest is dead\n{self.machine.evidence()}") from None

    def wait_for_end(self, name, timeout):
        with self.changed:
            self.changed.wait_for(lambda: name in self.finished or self.dead, timeout)
            if name in self.finished:
                return self.finished[name]
            if self.dead:
                raise DeadGuest(f"the guest died\n{self.machine.evidence()}")
        raise TimedOut(f"not finished after {timeout} s")

    def ended(self, name):
        return name in self.finished or self.dead

    def _read_control(self):
        buffered = b""
        while True:
            try:
                data = self.machine.control.recv(4096)
            except OSError:
                data = b""
            *lines, buffered = (buffered + data).split(b"\n")
            with self.changed:
                for line in lines:
                    self._take(line.decode().split())
                if not data:
                    self.dead = True
                self.changed.notify_all()
            if not data:
                return

    def _take(self, words):
        if words == ["up"]:
            self.up = True
        elif len(words) == 3 and words[0] == "done":
            self.finished[words[1]] = int(words[2])

