# SPDX-License-Identifier: BSD-2-Clause
"""A running command, in the guest or native: its output so far, its status, and the JSON lines of those that talk so."""
import json
import shlex
import signal
import subprocess
import time

from .errors import TimedOut

# How long the lab waits for a program: more than the programs wait themselves by default (240 s), because only they can tell what is missing.
PATIENCE = 300


class Job:
    """`directory` holds the files stdout and stderr, which grow while the command runs."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        (directory / "stdout").touch()
        (directory / "stderr").touch()

    def wait(self, timeout=None):
        """The exit status, 128 + N after signal N. Raises TimedOut (the command runs on), and DeadGuest in a guest."""
        raise NotImplementedError

    def signal(self, number):
        """Sends a signal to the command."""
        raise NotImplementedError

    def done(self):
        raise NotImplementedError

    def stdout(self):
        return (self.directory / "stdout").read_bytes()

    def stderr(self):
        return (self.directory / "stderr").read_bytes()

    def wait_for_output(self, text, timeout=PATIENCE):
        """Returns once stdout contains `text`: how to know that a program is ready."""
        self.wait_until(lambda: text.encode() in self.stdout(), text, timeout)

    def tail(self):
        """What it said last, for messages."""
        return f"...{self.stdout()[-2000:]!r} {self.stderr()[-2000:]!r}"

    def wait_until(self, condition, what, timeout=PATIENCE):
        """Returns once `condition()` holds, which looks at what the command has said; `what` names it in errors."""
        limit = time.monotonic() + timeout
        while True:
            ended = self.done()
            if condition():
                return
            if ended:
                raise LookupError(f"the command ended without '{what}': {self.tail()}")
            if time.monotonic() > limit:
                raise TimedOut(f"no '{what}' after {timeout} s: {self.tail()}")
            time.sleep(0.005)

    # Programs that say {"event": "ready"} when they can be sent to, and {"event": "report"} at their end.

    def wait_until_ready(self, timeout=PATIENCE):
        self.wait_for_output('"event":"ready"', timeout)
        return self

    def events(self):
        complete = self.stdout().rpartition(b"\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def go(self):
        self.signal(signal.SIGUSR1)

    def stop(self):
        self.signal(signal.SIGTERM)

    def report(self, timeout=PATIENCE):
        """Waits for the end: (status, the last report)."""
        status = self.wait(timeout)
        reports = [event for event in self.events() if event.get("event") == "report"]
        if not reports:
            raise LookupError(f"status {status}, no report: {self.stdout()!r} {self.stderr()!r}")
        return status, reports[-1]


class NativeJob(Job):
    def __init__(self, directory, start):
        """`start`: Popen with its environment and place settled."""
        super().__init__(directory)
        with open(directory / "stdout", "wb") as stdout, open(directory / "stderr", "wb") as stderr:
            self.process = start(stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

    def wait(self, timeout=None):
        try:
            return shell_status(self.process.wait(timeout))
        except subprocess.TimeoutExpired:
            raise TimedOut(f"not finished after {timeout} s") from None

    def signal(self, number):
        self.process.send_signal(number)

    def done(self):
        return self.process.poll() is not None


class GuestJob(Job):
    def __init__(self, guest, name):
        super().__init__(guest.machine.directory / "share" / "jobs" / name)
        self.guest = guest
        self.name = name

    def prepare(self, command, environment, directory):
        lines = [f"echo $$ >/run/lab/jobs/{self.name}/pid", f"cd {shlex.quote(str(directory))} 2>/dev/null || cd /"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        text = ["sh", "-c", command] if isinstance(command, str) else [str(argument) for argument in command]
        lines.append(f"exec {shlex.join(text)}")
        (self.directory / "command").write_text("\n".join(lines) + "\n")

    def wait(self, timeout=None):
        return self.guest.wait_for_end(self.name, timeout)

    def done(self):
        return self.guest.ended(self.name)

    def signal(self, number):
        """To the command and its children."""
        limit = time.monotonic() + PATIENCE
        pid = self.directory / "pid"
        while not (pid.exists() and pid.read_text().endswith("\n")):
            if self.done() or time.monotonic() > limit:
                return
            time.sleep(0.005)
        self.guest.order(f"signal {self.name} {signal.Signals(number).name.removeprefix('SIG')}")


def shell_status(status):
    return status if status >= 0 else 128 - status
