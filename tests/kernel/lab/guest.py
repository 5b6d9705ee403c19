# SPDX-License-Identifier: BSD-2-Clause
"""A running guest: commands in it, side by side, each with its own output files and status."""
import os
import shlex
import signal as signals
import threading
import time

from .errors import DeadGuest, TimedOut

BOOT_SECONDS = 60


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
        """Starts a command (a list of arguments, or a shell text) and returns its Job."""
        with self.changed:
            job = Job(self, str(self.next_job))
            self.next_job += 1
        job.prepare(command, environment or {}, directory or os.getcwd())
        self._order(f"run {job.name}")
        return job

    def run(self, command, timeout=None, **options):
        """Runs a command to its end: (status, stdout, stderr)."""
        job = self.start(command, **options)
        try:
            status = job.wait(timeout)
        except TimedOut:
            job.signal(signals.SIGKILL)
            raise
        return status, job.stdout(), job.stderr()

    def shell(self):
        """An interactive shell on the guest's terminal; returns its status."""
        self._order("shell")
        return self._wait("shell", None)

    def _order(self, line):
        try:
            self.machine.control.sendall(line.encode() + b"\n")
        except OSError:
            raise DeadGuest(f"the guest is dead\n{self.machine.evidence()}") from None

    def _wait(self, name, timeout):
        with self.changed:
            self.changed.wait_for(lambda: name in self.finished or self.dead, timeout)
            if name in self.finished:
                return self.finished[name]
            if self.dead:
                raise DeadGuest(f"the guest died\n{self.machine.evidence()}")
        raise TimedOut(f"not finished after {timeout} s")

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


class Job:
    """One command in the guest. Its output files grow while it runs."""

    def __init__(self, guest, name):
        self.guest = guest
        self.name = name
        self.directory = guest.machine.directory / "share" / "jobs" / name

    def prepare(self, command, environment, directory):
        self.directory.mkdir(parents=True)
        lines = [f"echo $$ >/run/lab/jobs/{self.name}/pid", f"cd {shlex.quote(str(directory))} 2>/dev/null || cd /"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        text = ["sh", "-c", command] if isinstance(command, str) else [str(argument) for argument in command]
        lines.append(f"exec {shlex.join(text)}")
        (self.directory / "stdout").touch()
        (self.directory / "stderr").touch()
        (self.directory / "command").write_text("\n".join(lines) + "\n")

    def wait(self, timeout=None):
        """The exit status, 128 + N after signal N. Raises TimedOut (the command runs on) or DeadGuest."""
        return self.guest._wait(self.name, timeout)

    def done(self):
        return self.name in self.guest.finished or self.guest.dead

    def stdout(self):
        return (self.directory / "stdout").read_bytes()

    def stderr(self):
        return (self.directory / "stderr").read_bytes()

    def wait_for_output(self, text, timeout=30):
        """Returns once stdout contains `text`: how to know that a program is ready."""
        wanted = text.encode()
        limit = time.monotonic() + timeout
        while wanted not in self.stdout():
            if self.done() and wanted not in self.stdout():
                raise LookupError(f"the command ended without '{text}': {self.stdout()!r} {self.stderr()!r}")
            if time.monotonic() > limit:
                raise TimedOut(f"no '{text}' after {timeout} s: {self.stdout()!r} {self.stderr()!r}")
            time.sleep(0.005)

    def signal(self, number):
        """Sends a signal to the command and its children."""
        limit = time.monotonic() + 10
        pid = self.directory / "pid"
        while not (pid.exists() and pid.read_text().endswith("\n")):
            if self.done() or time.monotonic() > limit:
                return
            time.sleep(0.005)
        self.guest._order(f"signal {self.name} {signals.Signals(number).name.removeprefix('SIG')}")
