#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs one of the samples as its first lines say:
run_samples.py DIRECTORY-OF-PROGRAMS echo|timeout|fan_in|foreign_epoll|put_get|send_file|demo|demo_killed_server.
"""
import contextlib
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile

PATIENCE = 60
# Tests that run at the same time have TCP ports of their own, below those that systems give to whoever connects.
TCP_PORT = str(30_000 + os.getpid() % 2_700)


def program(name):
    return os.path.join(sys.argv[1], name)


@contextlib.contextmanager
def echo_server(address):
    """A running server; at the end it is told to end, and has to do so in good order."""
    server = subprocess.Popen([program("echo_server"), address, TCP_PORT], stdout=subprocess.PIPE, text=True)
    try:
        first = server.stdout.readline()
        assert first == f"listening at {address}:4000\n", f"echo_server said {first!r}"
        yield server
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=PATIENCE)
        assert server.returncode == 0 and "were not acknowledged" in said, f"echo_server ended with {server.returncode}, said {said!r}"
    finally:
        server.kill()


def run(name, *arguments, text=None):
    return subprocess.run([program(name), *arguments], input=text, capture_output=True, text=True, timeout=PATIENCE)


def expect(done, status, output):
    assert (done.returncode, done.stdout) == (status, output), f"{done.args}: {done.returncode}, {done.stdout!r}, {done.stderr!r}"


def echo():
    with echo_server("127.0.0.2"):
        for text in ("hello", "once more"):
            expect(run("client_with_timeout", "127.0.0.1", "127.0.0.2", text, TCP_PORT), 0, text + "\n")


def timeout():
    """Nobody is there: the client says so instead of waiting."""
    done = run("client_with_timeout", "127.0.0.1", "127.0.0.2", "hello", TCP_PORT)
    assert done.returncode == 1 and done.stdout.startswith("no answer: withdrawn"), done
    assert run("client_with_timeout", "127.0.0.1").returncode == 2


def fan_in():
    expect(run("fan_in_server", TCP_PORT), 0, "100 peers, every report counted once\n")


def foreign_epoll():
    with echo_server("127.0.0.2"):
        expect(run("foreign_epoll", "127.0.0.1", "127.0.0.2", TCP_PORT, text="one\ntwo\n"), 0, "answer: one\nanswer: two\n")


def put_get():
    expect(run("put_get/put_get", "loopback"), 0, "apple: yellow\npear: green\nplum: nothing\nthe server heard of 3 puts\n")
    assert run("put_get/put_get", "carrier_pigeon", "serve", "127.0.0.1", "127.0.0.0/8").returncode == 1
    assert run("put_get/put_get").returncode == 2


def send_file():
    """The bytes are the same, the file that was sent is as it was, and one that is not there is said to be missing."""
    with tempfile.TemporaryDirectory() as directory:
        source, sink = os.path.join(directory, "source"), os.path.join(directory, "sink")
        content = random.Random(7).randbytes(5_000_001)
        with open(source, "wb") as file:
            file.write(content)
        expect(run("send_file/send_file", "loopback", source, sink), 0, "received 5000001 bytes\n")
        for path in (source, sink):
            with open(path, "rb") as file:
                assert file.read() == content, path
        missing = run("send_file/send_file", "loopback", os.path.join(directory, "missing"), sink)
        assert missing.returncode == 1 and "missing" in missing.stderr, missing
    assert run("send_file/send_file", "loopback").returncode == 2


def demo():
    """Well, and into a pipe: the table, and not one carriage return."""
    done = subprocess.run([program("demo/rdsco_demo"), "--seconds", "2"], capture_output=True, timeout=PATIENCE)
    said = done.stdout.decode()
    assert done.returncode == 0 and "Every datagram came back once, whole and in order." in said, (done.returncode, said, done.stderr)
    assert len(re.findall(r"^\d.* \| +0 +0 +0 +0$", said, re.M)) == 2, said
    assert "\r" not in said and "to go" not in said, said


def children_of(parent):
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as stat:
            if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                yield int(entry)


def read_terminal(terminal):
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # nobody has it open any more
        return ""


def demo_killed_server():
    """On a terminal there is a progress line. A server that is killed behind it: what it had is lost, and that is a failure."""
    terminal, end = pty.openpty()
    running = subprocess.Popen([program("demo/rdsco_demo"), "--seconds", "8", "--patience", "2"], stdout=end, stderr=end)
    os.close(end)
    try:
        said = ""
        while not re.search(r"\rThree processes over TCP: [1-9]\d* messages, \d+\.\d MiB, \d s to go", said):
            more = read_terminal(terminal)
            assert more, said
            said += more
        servers = list(children_of(running.pid))
        assert len(servers) == 2, servers
        os.kill(servers[0], signal.SIGKILL)
        while more := read_terminal(terminal):
            said += more
        assert running.wait(timeout=PATIENCE) == 1, (running.returncode, said)
        assert "FAILED: not every datagram came back once" in said and "is not there any more" in said, said
    finally:
        running.kill()
        running.wait()


if __name__ == "__main__":
    {each.__name__: each for each in (echo, timeout, fan_in, foreign_epoll, put_get, send_file, demo, demo_killed_server)}[sys.argv[2]]()
