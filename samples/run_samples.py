#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs one of the samples as its first lines say: run_samples.py DIRECTORY-OF-PROGRAMS echo|timeout|fan_in|foreign_epoll."""
import contextlib
import os
import signal
import subprocess
import sys

PATIENCE = 60
# Tests that run at the same time have TCP ports of their own.
TCP_PORT = str(40_000 - os.getpid() % 8_000)


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


if __name__ == "__main__":
    {each.__name__: each for each in (echo, timeout, fan_in, foreign_epoll)}[sys.argv[2]]()
