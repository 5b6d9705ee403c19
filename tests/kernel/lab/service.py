# SPDX-License-Identifier: BSD-2-Clause
"""Lets other processes use a session: each order is one JSON line on a unix socket in the session's directory.

{"order": "exec", "command": [...], "directory": "/x", "environment": {}}  ->  {"job": "/dir"}, then {"status": N}
{"order": "restart_rds"} {"order": "reset_tcp"} {"order": "down"}          ->  {"status": 0, "text": "..."}
Anything that fails                                                        ->  {"status": N, "error": "..."}
"""
import json
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

from .errors import LabError, TimedOut

SOCKET = "session.socket"
PREFIX = "rdsco-lab."


class Service:
    def __init__(self, session):
        self.session = session
        self.down = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(session.directory / SOCKET))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rw") as stream:
            try:
                answer = self._obey(json.loads(stream.readline()), client, stream)
            except LabError as error:
                answer = {"status": error.status, "error": str(error)}
            except (ValueError, KeyError) as error:
                answer = {"status": 2, "error": f"not an order: {error}"}
            try:
                tell(stream, answer)
            except OSError:
                pass  # the client went away

    def _obey(self, order, client, stream):
        if order["order"] == "exec":
            return self._execute(order, client, stream)
        if order["order"] == "restart_rds":
            self.session.restart_rds()
            return {"status": 0, "text": ""}
        if order["order"] == "reset_tcp":
            return {"status": 0, "text": f"{self.session.reset_tcp()} connections reset\n"}
        if order["order"] == "down":
            self.down.set()
            return {"status": 0, "text": ""}
        raise KeyError(order["order"])

    def _execute(self, order, client, stream):
        job = self.session.guest.start(order["command"], order["environment"], order["directory"])
        tell(stream, {"job": str(job.directory)})
        client.setblocking(False)
        while True:
            try:
                return {"status": job.wait(0.2)}
            except TimedOut:
                if gone(client):
                    job.signal(signal.SIGKILL)
                    return {"status": 0}


def tell(stream, answer):
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


def gone(client):
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def own_sessions():
    """(directory, facts) of each session of this user; facts["alive"] tells whether its process still runs."""
    found = []
    for directory in sorted(Path(tempfile.gettempdir()).glob(PREFIX + "*")):
        try:
            if directory.stat().st_uid != os.getuid():
                continue
            facts = json.loads((directory / "session.json").read_text())
        except (OSError, ValueError):
            continue  # one that is starting or ending
        facts["alive"] = Path(f"/proc/{facts['pid']}").exists()
        found.append((directory, facts))
    return found


def running_sessions():
    return [(directory, facts) for directory, facts in own_sessions() if facts["alive"]]


def choose_session(wanted):
    wanted = wanted or os.environ.get("RDSCO_LAB_SESSION")
    if wanted:
        facts = Path(wanted) / "session.json"
        if not facts.exists():
            raise LabError(f"no session {wanted}")
        return Path(wanted), json.loads(facts.read_text())
    sessions = running_sessions()
    if len(sessions) != 1:
        raise LabError("no session is running: start one with 'kernel-lab up'" if not sessions else
                       "several sessions are running: choose one with --session (see 'kernel-lab list')")
    return sessions[0]


class Client:
    """The other end of Service."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(directory / SOCKET))
        except OSError as error:
            raise LabError(f"session {directory} does not answer: {error.strerror}") from None
        self.stream = self.socket.makefile("rw")

    def order(self, **order):
        tell(self.stream, order)
        return self.answer()

    def answer(self):
        line = self.stream.readline()
        if not line:
            raise LabError("the session ended")
        answer = json.loads(line)
        if "error" in answer:
            failure = LabError(answer["error"])
            failure.status = answer["status"]
            raise failure
        return answer
