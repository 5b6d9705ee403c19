#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The rdsco command as people run it: tools_test.py RDSCO ping|info|stress|rds_stress|arguments.

Could go wrong: wrong exit status, output that scripts for rds-tools cannot read, ends that do not understand each other.
Forced by: real processes on loopback addresses, a silent end, an end that dies, and one that speaks as rds-stress does.
"""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile

PATIENCE = 60
RDSCO = sys.argv[1]
# Tests that run at the same time have TCP ports of their own.
PORT = 12_000 + os.getpid() * 2 % 16_000
CONTROL = PORT + 1
SERVER, CLIENT = "127.0.0.2", "127.0.0.1"


def run(*arguments, environment=None):
    return subprocess.run([RDSCO, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, **(environment or {})})


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(map(str, what)))


@contextlib.contextmanager
def passive(address, *arguments, control=CONTROL):
    """A passive end of a stress test: also a node that answers pings and serves statistics. None: at any address, once asked."""
    own = ["-r", address] if address else []
    end = subprocess.Popen([RDSCO, "stress", *own, "-p", str(control), "--port", str(PORT), *map(str, arguments)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = end.stdout.readline()
        check(first.startswith("waiting for incoming connection on "), repr(first), end.stderr.read() if not first else "")
        yield end
    finally:
        end.kill()
        end.communicate()


def finish(end):
    output, errors = end.communicate(timeout=PATIENCE)
    return end.returncode, output + errors


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def ping():
    with passive(SERVER):
        done = run("ping", "-c", 3, "-i", "1ms", "--patience", "50s", "--port", PORT, SERVER)
        check(done.returncode == 0, done)
        lines = done.stdout.splitlines()
        check(len(lines) == 3, lines)
        for line in lines:
            check(re.fullmatch(r"   [123]: \d+ usec", line), repr(line))
        named = run("ping", "-c", 1, "-I", "127.0.0.9", "-Q", 3, "--port", PORT, SERVER)
        check(named.returncode == 0 and len(named.stdout.splitlines()) == 1, named)
    # More pings than it has sockets: each that nobody answers is given up, and makes room.
    nobody = run("ping", "-c", 10, "-i", "1ms", "--patience", "100ms", "--port", PORT, SERVER)
    check(nobody.returncode == 1 and "no answer from 127.0.0.2" in nobody.stderr, nobody)
    lines = nobody.stdout.splitlines()
    check(len(lines) == 10, lines)
    for number, line in enumerate(lines, 1):
        check(re.fullmatch(r" %3d: \d+ usec ERROR: timed out.*" % number, line), repr(line))
    unknown = run("ping", "-c", 1, "--port", PORT, "no-such-host.invalid")
    check(unknown.returncode == 1 and "no host 'no-such-host.invalid'" in unknown.stderr, unknown)
    itself = run("ping", "-c", 1, "--port", PORT, CLIENT)
    check(itself.returncode == 1 and "-I" in itself.stderr, itself)
    strange = run("ping", "-c", 1, "-I", "192.0.2.1", "--port", PORT, SERVER)
    check(strange.returncode == 1 and "not an address of this host" in strange.stderr, strange)
    mixed = run("ping", "-c", 1, "-I", "127.0.0.1", "--port", PORT, "::1")
    check(mixed.returncode == 1 and "both" in mixed.stderr, mixed)
    if has_ipv6():
        six = run("ping", "-c", 2, "-i", "1ms", "-I", "::1", "--port", PORT, "::1")
        check(six.returncode == 0 and len(six.stdout.splitlines()) == 2, six)
    with passive(SERVER):
        taken = run("ping", "-c", 1, "-I", SERVER, "--port", PORT, SERVER)
        check(taken.returncode == 1 and "taken" in taken.stderr, taken)
    with passive(CLIENT):
        resolved = run("ping", "-c", 1, "-I", "127.0.0.9", "--port", PORT, "localhost")
        check(resolved.returncode == 0 and len(resolved.stdout.splitlines()) == 1, resolved)


HEADS = {
    "-T": ["TCP Connections:", "LocalAddr LPort RemoteAddr RPort HdrRemain DataRemain SentNxt ExpectUna SeenUna"],
    "-c": ["Counters:", "CounterName Value"],
    "-k": ["RDS Sockets:", "BoundAddr BPort ConnAddr CPort SndBuf RcvBuf Inode"],
    "-n": ["RDS Connections:", "LocalAddr RemoteAddr Tos NextTX NextRX Flgs"],
    "-r": ["Receive Message Queue:", "LocalAddr LPort RemoteAddr RPort Tos Seq Bytes"],
    "-s": ["Send Message Queue:", "LocalAddr LPort RemoteAddr RPort Tos Seq Bytes"],
    "-t": ["Retransmit Message Queue:", "LocalAddr LPort RemoteAddr RPort Tos Seq Bytes"],
}


def heads_of(text):
    """Title and column names of each table."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [[line for line in block if line][:2] for block in blocks]


def normal(heads):
    return [[title, " ".join(columns.split())] for title, columns in heads]


def info():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "stats")
        with passive(SERVER, "--stats", path, "-z") as end, subprocess.Popen(
                [RDSCO, "stress", "-r", CLIENT, "-s", SERVER, "-p", str(CONTROL), "--port", str(PORT), "-d", "8", "-t", "2"],
                stdout=subprocess.PIPE, text=True) as active:
            for line in active.stdout:
                if line.startswith("tsks"):
                    break
            active.stdout.readline()  # traffic has flowed for a second
            check_tables(path)
            active.send_signal(signal.SIGINT)
            active.communicate(timeout=PATIENCE)
            check(active.returncode == 0, active.returncode)
            status, output = finish(end)
            check(status == 0, output)
        check(not os.path.exists(path), "the socket file was left behind")
        gone = run("info", "--socket", path)
        check(gone.returncode == 1 and path in gone.stderr, gone)


def check_tables(path):
    everything = run("info", "--socket", path)
    check(everything.returncode == 0, everything)
    check(normal(heads_of(everything.stdout)) == list(HEADS.values()), everything.stdout)
    for letter, head in HEADS.items():
        one = run("info", letter, environment={"RDSCO_STATS_SOCKET": path})
        check(one.returncode == 0 and normal(heads_of(one.stdout)) == [head], letter, one)
    # Widths as rds-info's, which scripts cut by column.
    check("\n      LocalAddr      RemoteAddr  Tos           NextTX           NextRX Flgs\n" in everything.stdout, everything.stdout)
    check(re.search(r"^ {6}127\.0\.0\.2 {7}127\.0\.0\.1    0 +\d+ +\d+ ..C-$", everything.stdout, re.M), everything.stdout)
    check("\n              CounterName            Value\n" in everything.stdout, everything.stdout)
    check(re.search(r"^           recv_delivered +[1-9]\d*$", everything.stdout, re.M), everything.stdout)
    check(re.search(r"^ {6}127\.0\.0\.2 +%d         0\.0\.0\.0     0 +\d+ +\d+ +\d+$" % (CONTROL + 1), everything.stdout, re.M),
          everything.stdout)
    check(re.search(r"^ {6}127\.0\.0\.2 +\d+ +127\.0\.0\.1 +\d+ +\d+ +\d+ +\d+ +\d+ +\d+$", run("info", "-T", "--socket", path).stdout, re.M),
          "no TCP connection")
    check(len(run("info", "-c", "-v", "--socket", path).stdout) > len(run("info", "-c", "--socket", path).stdout), "-v shows no more")
    tables = json.loads(run("info", "--json", "--socket", path).stdout)
    check(set(tables) >= {"counters", "sockets", "connections", "send_queue", "retransmit_queue", "receive_queue", "tcp_sockets"}, tables)
    check(len(tables["sockets"]) == 2 and tables["counters"]["recv_delivered"] > 0, tables)


def stress():
    cases = [
        (SERVER, CLIENT, ["-T", 1]),
        (SERVER, CLIENT, ["-T", 1, "-t", 3, "-d", 4, "-q", "64K", "-a", "8K"]),
        (SERVER, CLIENT, ["-T", 1, "-q", "1M", "-d", 2]),
        (CLIENT, SERVER, ["-T", 1, "-o", "--protocol-2.0.6"]),
        (SERVER, CLIENT, ["-T", 1, "-d", 8, "-t", 2, "--protocol-2.0.6"]),
    ]
    for there, here, arguments in cases:
        with passive(there, "-v") as end:
            done = run("stress", "-r", here, "-s", there, "-p", CONTROL, "--port", PORT, "--json", *arguments)
            check(done.returncode == 0, done)
            result = json.loads(done.stdout)
            check(result["clean"] and result["requests_sent"] > 0 and result["rtt_us"]["p50"] > 0, result)
            check(result["payload_checked"] and result["every_byte_checked"] == ("--protocol-2.0.6" not in arguments), result)
            check(all(value == 0 for value in result["faults"].values()), result)
            status, output = finish(end)
            check(status == 0 and "tsks   tx/s   rx/s  tx+rx K/s    mbi K/s    mbo K/s tx us/c   rtt us cpu %" in output, output)
            check(re.search(r"^ +\d+ +\d+ +\d+( +\d+\.\d\d){6}  \(average\)$", output, re.M), output)
            if "--protocol-2.0.6" not in arguments:
                check(result["peer"]["clean"], result)
            if "-o" in arguments:
                check(result["requests_received"] == 0, result)
    anywhere()
    live_line()
    dying_passive()
    stalled_passive()


def anywhere():
    """A passive end without an address has the one that the active end came to."""
    with passive(None) as end:
        done = run("stress", "-r", CLIENT, "-s", "127.0.0.7", "-p", CONTROL, "--port", PORT, "--json", "-T", 1)
        check(done.returncode == 0 and json.loads(done.stdout)["peer"]["clean"], done)
        status, output = finish(end)
        check(status == 0 and "accepted connection from 127.0.0.1:" in output, output)


def live_line():
    """Where rows are left out, one that is written over and over, on a terminal only."""
    terminal, end_of_terminal = pty.openpty()
    active = [RDSCO, "stress", "-r", CLIENT, "-s", SERVER, "-p", str(CONTROL), "--port", str(PORT), "-T", "2", "--json"]
    with passive(SERVER, "-z"):
        done = subprocess.run(active, stdout=subprocess.PIPE, stderr=end_of_terminal, timeout=PATIENCE)
        os.close(end_of_terminal)
        said = os.read(terminal, 65536).decode()
        os.close(terminal)
        check(done.returncode == 0 and re.match(r"\r +1 +\d+ +\d+ +\d+\.\d\d ", said) and json.loads(done.stdout)["clean"], done, repr(said))
    with passive(SERVER, "-z"):
        done = subprocess.run(active, capture_output=True, timeout=PATIENCE)
        check(done.returncode == 0 and done.stderr == b"", done)


def stalled_passive():
    """An end that answers no more is a failure of the other, known for an rdsco or not: here it speaks as an rds-stress of 2.0.6."""
    with passive(SERVER) as end, subprocess.Popen(
            [RDSCO, "stress", "-r", CLIENT, "-s", SERVER, "-p", str(CONTROL), "--port", str(PORT), "-T", "3", "-d", "4",
             "--protocol-2.0.6", "--patience", "1s"], stdout=subprocess.PIPE, text=True) as active:
        for line in active.stdout:
            if line.startswith("tsks"):
                break
        active.stdout.readline()  # traffic has flowed for a second
        end.send_signal(signal.SIGSTOP)
        output, _ = active.communicate(timeout=PATIENCE)
        check(active.returncode == 1 and re.search(r"unanswered [1-4]$", output, re.M) and "FAILED" in output, active.returncode, output)


def dying_passive():
    """An end that dies in the middle of the test is a failure of the other."""
    with passive(SERVER) as end, subprocess.Popen(
            [RDSCO, "stress", "-r", CLIENT, "-s", SERVER, "-p", str(CONTROL), "--port", str(PORT)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as active:
        for line in active.stdout:
            if line.startswith("tsks"):
                break
        active.stdout.readline()
        end.kill()
        _, errors = active.communicate(timeout=PATIENCE)
        check(active.returncode == 1 and "went away" in errors, active.returncode, errors)
    nobody = run("stress", "-r", CLIENT, "-s", SERVER, "-p", CONTROL, "--port", PORT, "--connect-retries", 0)
    check(nobody.returncode == 1 and "passive end is started first" in nobody.stderr, nobody)


def parameters(**changes):
    """What rds-stress 2.0.6 sends."""
    value = dict(depth=1, request=1024, ack=63, rdma=0, send=0x7F000002, receive=0x7F000001, port=CONTROL, tasks=1, seconds=1)
    value.update(changes)
    fields = [value[name] for name in ("depth", "request", "ack", "rdma", "send", "receive", "port", "tasks", "seconds")]
    return struct.pack("!6I2HI", *fields) + bytes([0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]) + struct.pack("!3I", 1, 0, 0)


def control_to(address):
    stream = socket.create_connection((address, CONTROL), timeout=PATIENCE, source_address=(CLIENT, 0))
    return stream


def rds_stress():
    """The agreement with an end that is no rdsco, up to the start and the stop. (Its datagrams: the tests against kernels.)"""
    for text, reason in ((parameters(rdma=8192), "RDMA"), (parameters(request=10), "10 bytes"), (parameters(tasks=0), "0 tasks")):
        with passive(SERVER) as end, control_to(SERVER) as stream:
            stream.sendall(text)
            check(stream.recv(1) == b"", "a start for parameters that are not possible")
            status, output = finish(end)
            check(status == 1 and reason in output, output)
    for head in (b"", b"2.0.7".ljust(16, b"\0")):
        with passive(SERVER) as end, control_to(SERVER) as stream:
            stream.sendall(head + parameters() + (b"\0\0" if head else b""))
            stream.sendall(b"\x31")
            check(stream.recv(1) == b"\x31", "go is not echoed")
            stream.close()
            status, output = finish(end)
            check(status == 0 and "unanswered 0" in output, output)
    with passive(SERVER) as end, control_to(SERVER) as stream:
        stream.sendall(b"GET / HTTP")
        stream.shutdown(socket.SHUT_WR)
        status, output = finish(end)
        check(status == 1 and "no parameters" in output, output)
    active_to_silent_end()


def active_to_silent_end():
    """The active end, with a passive one that agrees and then is silent."""
    with socket.create_server((SERVER, CONTROL)) as listener:
        with subprocess.Popen([RDSCO, "stress", "-r", CLIENT, "-s", SERVER, "-p", str(CONTROL), "--port", str(PORT), "--patience", "200ms"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as active:
            stream, _ = listener.accept()
            with stream:
                got = stream.recv(16)
                check(len(got) == 16 and got[:6] == b"2.0.7\0", got)
                rest = b""
                while len(rest) < 62:
                    rest += stream.recv(62 - len(rest))
                check(rest[16:24] == bytes([127, 0, 0, 2, 127, 0, 0, 1]), rest)
                stream.sendall(rest[61:62])
                _, errors = active.communicate(timeout=PATIENCE)
                check(active.returncode == 1 and "not one datagram came" in errors, active.returncode, errors)


def arguments():
    for wrong, words in {
            (): "rdsco: a command is needed: ping, info or stress",
            ("pign", SERVER): "rdsco: 'pign' is no command: there are ping, info and stress",
            ("--nonsense", "ping", SERVER): "'--nonsense' is no command",
            ("ping",): "dst",
            ("ping", SERVER, "more"): "more",
            ("ping", "-i", "soon", SERVER): "not a time",
            ("ping", "-c", "many", SERVER): "--count: 'many' is not a whole number from 0 to 4294967295",
            ("ping", "-c", "-3", SERVER): "--count: '-3' is not a whole number from 0 to 4294967295",
            ("ping", "-Q", "256", SERVER): "--tos: '256' is not a whole number from 0 to 255",
            ("ping", "--port", "70000", SERVER): "--port: '70000' is not a whole number from 1 to 65535",
            ("info",): "--socket",
            ("stress", "-D", "8K"): "RDS over TCP has no RDMA",
            ("stress", "-M", "3"): "-M: '3' is not a whole number from 0 to 2",
            ("stress", "-I", "0"): "-I: '0' is not a whole number from 1 to 512",
            ("info", "-x", "--socket", "x"): "-x",
            ("stress", "-r", CLIENT, "-q", "62"): "-q: '62' is not a size from 63 to 1048576 bytes",
            ("stress", "-r", CLIENT, "-q", "-5"): "-q: '-5' is not a size from 63 to 1048576 bytes",
            ("stress", "-r", CLIENT, "-a", "2M"): "-a: '2M' is not a size from 63 to 1048576 bytes",
            ("stress", "-r", CLIENT, "-q", "5Q"): "-q: '5Q' is not a size",
            ("stress", "-r", CLIENT, "-q", "18446744073709551615G"): "is not a size",
            ("stress", "-r", CLIENT, "-t", "0"): "-t: '0' is not a whole number from 1 to 256",
            ("stress", "-r", CLIENT, "-d", "-1"): "-d: '-1' is not a whole number from 1 to 65535",
            ("stress", "-r", CLIENT, "-d", ""): "-d: '' is not a whole number from 1 to 65535",
            ("stress", "-r", CLIENT, "-T", "1.5"): "-T: '1.5' is not a whole number from 0 to 4294967295",
            ("stress", "-r", CLIENT, "-p", "70000"): "-p: '70000' is not a whole number from 1 to 65518",
            ("stress", "-r", CLIENT, "-p", "65518", "-t", "2"): "RDS ports 65519 to 65520",
            ("stress", "-r", CLIENT, "--connect-retries", "-1"): "--connect-retries: '-1' is not a whole number",
            ("stress", "-r", CLIENT, "-s", "::1"): "both",
            ("stress", "-r", CLIENT, "--allow", "10.0.0.0/33"): "not a subnet",
            ("stress", "-r", CLIENT, "-Q", "1", "--protocol-2.0.6"): "type of service",
    }.items():
        done = run(*wrong)
        check(done.returncode == 2 and words in done.stderr, wrong, done)
    for right in (["--help"], ["--version"], ["ping", "--help"], ["info", "--help"], ["stress", "--help"]):
        done = run(*right)
        check(done.returncode == 0 and done.stdout and not done.stderr, right, done)
    check(re.fullmatch(r"rdsco \d+\.\d+\.\d+\n", run("--version").stdout), "version")


if __name__ == "__main__":
    {each.__name__: each for each in (ping, info, stress, rds_stress, arguments)}[sys.argv[2]]()
