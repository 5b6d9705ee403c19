#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: the lab or its AF_RDS program loses a status, bytes of output or a datagram, and interoperation tests blame or clear the wrong side.
# How the test forces it: every outcome (status, signal, time-out, panic, megabyte of output, refused datagram) is provoked in a guest and compared.
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import lab  # noqa: E402

SCRIPT = HERE.parent.parent / "scripts" / "kernel-lab"
SIZES = "0,1,15,16,4096,65536,1048576"
TWO_HOSTS = """
set -e
ip netns add a
ip netns add b
ip link add west netns a type veth peer name east netns b
for v6 in a b; do ip netns exec $v6 sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0; done
ip -n a addr add 10.1.0.1/24 dev west
ip -n b addr add 10.1.0.2/24 dev east
ip -n a addr add fd01::1/64 dev west nodad
ip -n b addr add fd01::2/64 dev east nodad
ip -n a link set west up
ip -n b link set east up
"""


def kernel_lab(*arguments, timeout=2 * lab.PATIENCE):
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, timeout=timeout)
    if done.returncode == lab.Unavailable.status:
        raise lab.Unavailable(done.stderr.decode(errors="replace").strip().removeprefix("kernel-lab: "))
    return done


def check(condition, *facts):
    if not condition:
        raise AssertionError(" ".join(str(fact) for fact in facts))


def status_and_output(options):
    begin = time.monotonic()
    done = kernel_lab("run", "--kernel", options.kernel, "--", "sh", "-c", "echo out; echo err >&2; exit 42")
    check((done.returncode, done.stdout, done.stderr) == (42, b"out\n", b"err\n"), done)
    print(f"  a trivial command in a fresh guest: {time.monotonic() - begin:.1f} s")


def time_out(options):
    # The limit counts the boot: a guest that has not begun by then is slow, and is given more.
    for limit in (6, 30, 150):
        done = kernel_lab("run", "--kernel", options.kernel, "--timeout", str(limit), "--", "sh", "-c", "echo begun; sleep 1000")
        check(done.returncode == 124 and b"time is up" in done.stderr, done)
        if done.stdout:
            break
    check(done.stdout == b"begun\n", done)


def dead_guest(options):
    done = kernel_lab("run", "--kernel", options.kernel, "--", "sh", "-c", "echo begun; echo c >/proc/sysrq-trigger; sleep 1000")
    check(done.returncode == 125 and done.stdout == b"begun\n" and b"sysrq triggered crash" in done.stderr, done)


def nothing_remains(options):
    """A lab that is terminated takes its guest, its device and its directory along."""
    before = set(Path(tempfile.gettempdir()).glob("rdsco-lab.*"))
    process = subprocess.Popen([SCRIPT, "tap", "--kernel", options.kernel, "--", "sh", "-c", "echo $RDSCO_LAB_SESSION; cat"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    named = process.stdout.readline().decode().strip()
    if not named:
        status = process.wait(lab.PATIENCE)
        check(status == lab.Unavailable.status, "no session, status", status)
        raise lab.Unavailable("no guest with a network: the lab's own words are above")
    session = Path(named)
    check(session.is_dir() and session not in before, session)
    guests = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True).stdout.split()
    check(guests, "the lab has no child")
    process.terminate()
    check(process.wait(lab.PATIENCE) == 128 + signal.SIGTERM, process.returncode)
    process.stdin.close()
    process.stdout.close()
    check(not session.exists(), session)
    # The native command is killed by the kernel when the lab ends, which is not at once: its end is waited for.
    for guest in guests:
        subprocess.run(["tail", "--pid", guest.decode(), "-f", "/dev/null"], timeout=lab.PATIENCE, check=True)


def in_one_guest(options):
    with lab.Session(options.kernel, rds=True) as session:
        for case in (whole_output, signal_status, side_by_side, read_only_host, kernel_to_kernel):
            print(f"  {case.__name__}")
            case(session, options)


def whole_output(session, _options):
    status, stdout, stderr = session.guest.run(
        ["python3", "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096); sys.stderr.buffer.write(bytes(1000))"])
    check(status == 0 and stdout == bytes(range(256)) * 4096 and stderr == bytes(1000), status, len(stdout), len(stderr))


def signal_status(session, _options):
    job = session.guest.start("echo ready; exec sleep 1000")
    job.wait_for_output("ready")
    job.signal(signal.SIGTERM)
    check(job.wait(lab.PATIENCE) == 128 + signal.SIGTERM, "status after SIGTERM")


def side_by_side(session, _options):
    session.guest.run(["mkfifo", "/run/meeting"])
    job = session.guest.start(["cat", "/run/meeting"])
    # Neither end of a FIFO opens alone: this ends only if the first command runs beside the second.
    status, _, errors = session.guest.run("echo met >/run/meeting", timeout=lab.PATIENCE)
    check(status == 0 and job.wait(lab.PATIENCE) == 0 and job.stdout() == b"met\n", status, errors)


def read_only_host(session, _options):
    with tempfile.NamedTemporaryFile() as file:
        status, _, _ = session.guest.run(f"echo from the guest >{file.name}; grep guest {file.name}")
        check(status == 0, "the guest cannot write its own layer")
        check(Path(file.name).read_bytes() == b"", "the guest wrote into the host's file")


# Connects as an RDS host would (header fields: sequence, acknowledgement, length, ports), sends one datagram of 16 bytes with
# flow 3 and index 0, passes over the kernel's congestion map, and waits for the end of the connection.
WIRE_PEER = """
import socket, struct, sys
own, peer = sys.argv[1:]
connection = socket.create_connection((peer, 16385), timeout=240, source_address=(own, 0))
def send(sequence, payload, ports):
    connection.sendall(struct.pack('>QQIHHB23x', sequence, 0, len(payload), *ports, 0) + payload)
send(1, struct.pack('<QQ', 3, 0), (5000, 4000))
stream = connection.makefile('rb')
target = None
while target != 5000:
    length, source, target = struct.unpack_from('>IHH', stream.read(48), 16)
    payload = stream.read(length)
    if target == 0 and source == 0:
        print('up', flush=True)
print('answered', payload == struct.pack('<QQ', 4, 0), flush=True)
try:
    stream.read()
    print('closed')
except ConnectionResetError:
    print('reset')
"""


def on_the_wire(options):
    with lab.Session(options.kernel, tap=True) as session:
        for own, guest in (("10.77.0.1", "10.77.0.2"), ("fd77::1", "fd77::2")):
            for end in ("reset", "restart"):
                print(f"  {own} {end}")
                one_wire_peer(session, options, own, guest, end)
            print(f"  {own} nobody there")
            nobody_there(session, options, own, guest)


def one_wire_peer(session, options, own, guest, end):
    duplex = session.guest.start([options.afrds, "duplex", "--local", guest, "--port", "4000", "--peer", own, "--peer-port", "5000",
                                  "--sizes", "16", "--count", "1", "--expect", "1", "--flow", "4", "--wait"])
    duplex.wait_until_ready()
    peer = session.native.start([sys.executable, "-c", WIRE_PEER, own, guest])
    # A kernel that has something to send before it accepted would be connecting itself, and refuse.
    peer.wait_for_output("up\n")
    duplex.go()
    peer.wait_for_output("answered True\n")
    status, facts = duplex.report()
    check(status == 0 and facts["flows"][0]["flow"] == 3, facts)
    if end == "reset":
        check(session.reset_tcp() == 1, "one connection was to be reset")
    else:
        session.restart_rds()
    check(peer.wait(lab.PATIENCE) == 0 and peer.stdout().split()[-1] in ((b"reset",) if end == "reset" else (b"reset", b"closed")), end)


def nobody_there(session, options, own, guest):
    """What nobody acknowledged must not count as sent and done."""
    sending = session.guest.start([options.afrds, "send", "--local", guest, "--peer", own, "--peer-port", "5000", "--count", "3",
                                   "--progress", "3"])
    sending.wait_for_output('"sent":3')
    sending.stop()
    status, facts = sending.report()
    check(status == 1 and facts["status"] == "stopped" and facts["sent"] == 3 and facts["unacknowledged"] == 3, facts)


def start(session, namespace, options, *arguments):
    return session.guest.start(["ip", "netns", "exec", namespace, options.afrds, *arguments]).wait_until_ready()


def kernel_to_kernel(session, options):
    status, _, errors = session.guest.run(TWO_HOSTS, directory="/")
    check(status == 0, errors)
    for family, (west, east) in {"IPv4": ("10.1.0.1", "10.1.0.2"), "IPv6": ("fd01::1", "fd01::2")}.items():
        for case in (flow_of_all_sizes, duplex_flows, echoed_flow, pings, congestion, counters, accounted_loss, silence):
            print(f"    {family} {case.__name__}")
            case(session, options, west, east)


def flow_of_all_sizes(session, options, west, east):
    for source, target, sender, receiver in (("a", "b", west, east), ("b", "a", east, west)):
        receiving = start(session, target, options, "receive", "--local", receiver, "--port", "4000", "--sizes", SIZES,
                          "--expect", "28")
        sending = start(session, source, options, "send", "--local", sender, "--port", "5000", "--peer", receiver,
                        "--peer-port", "4000", "--sizes", SIZES, "--count", "28", "--flow", "9")
        status, facts = receiving.report()
        check(status == 0 and facts["clean"] and facts["received"] == 28 and facts["flows"][0]["flow"] == 9, facts)
        status, facts = sending.report()
        check(status == 0 and facts["sent"] == 28 and facts["unacknowledged"] == 0, facts)


def duplex_flows(session, options, west, east):
    common = ("--count", "50", "--expect", "50", "--sizes", "16,1000,40000", "--wait")
    jobs = [start(session, "a", options, "duplex", "--local", west, "--port", "4100", "--peer", east, "--peer-port", "4100", *common),
            start(session, "b", options, "duplex", "--local", east, "--port", "4100", "--peer", west, "--peer-port", "4100", *common,
                  "--blocking")]
    for job in jobs:
        job.go()
    for job in jobs:
        status, facts = job.report()
        check(status == 0 and facts["sent"] == 50 and facts["received"] == 50, facts)


def echoed_flow(session, options, west, east):
    echo = start(session, "b", options, "echo", "--local", east, "--port", "4200")
    duplex = start(session, "a", options, "duplex", "--local", west, "--port", "4200", "--peer", east, "--peer-port", "4200",
                   "--sizes", "0,100,200000", "--count", "30", "--expect", "30")
    status, facts = duplex.report()
    check(status == 0 and facts["received"] == 30, facts)
    echo.stop()
    status, facts = echo.report()
    check(status == 0 and facts["returned"] == 30, facts)


def pings(session, options, west, east):
    for source, sender, target in (("a", west, east), ("b", east, west)):
        status, facts = start(session, source, options, "ping", "--local", sender, "--peer", target, "--count", "5").report()
        check(status == 0 and facts["answered"] == 5, facts)


def congestion(session, options, west, east):
    stall = start(session, "b", options, "stall", "--local", east, "--port", "4300", "--receive-buffer", "4096",
                  "--sizes", "1000", "--expect", "200")
    sending = start(session, "a", options, "send", "--local", west, "--peer", east, "--peer-port", "4300", "--sizes", "1000",
                    "--count", "200")
    sending.wait_for_output('"congested"')
    stall.go()
    status, facts = stall.report()
    check(status == 0 and facts["received"] == 200, facts)
    status, facts = sending.report()
    check(status == 0 and facts["times_congested"] > 0 and facts["congestion_updates"] > 0, facts)


def counters(session, options, west, east):
    """A datagram for a port that nobody bound is acknowledged and gone: only the kernel's counter tells."""
    def facts():
        return session.guest.start(["ip", "netns", "exec", "a", options.afrds, "info"]).report()[1]

    before = facts()
    start(session, "a", options, "send", "--local", west, "--peer", east, "--peer-port", "4999", "--count", "3").report()
    after = facts()
    check(after["counters"]["recv_drop_no_sock"] == before["counters"]["recv_drop_no_sock"] + 3, before, after)
    check([one["connected"] for one in after["connections"] if (one["local"], one["peer"]) == (west, east)] == [True], after)


def accounted_loss(session, options, west, east):
    """The receiver expects more, and another beginning, than the sender sends: it must say what is missing."""
    receiving = start(session, "b", options, "receive", "--local", east, "--port", "4400", "--sizes", "100", "--expect", "12",
                      "--progress", "10")
    status, facts = start(session, "a", options, "send", "--local", west, "--peer", east, "--peer-port", "4400",
                          "--sizes", "100", "--count", "10", "--first", "1").report()
    check(status == 0, facts)
    receiving.wait_for_output('"received":10')
    receiving.stop()
    status, facts = receiving.report()
    check(status == 1 and facts["status"] == "stopped" and facts["flows"][0]["lost_ranges"] == [[0, 0], [11, 11]], facts)


def silence(session, options, _west, east):
    """Nobody sends to a receiver: it gives up, and says so."""
    status, facts = start(session, "b", options, "receive", "--local", east, "--expect", "1", "--timeout", "0.5").report()
    check(status == 1 and facts["status"] == "timeout" and facts["silent_sources"] == 1, facts)


CASES = {case.__name__: case for case in (status_and_output, time_out, dead_guest, nothing_remains, in_one_guest,
                                             on_the_wire)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--afrds", required=True, type=os.path.abspath, help="the program rdsco_afrds")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("case", nargs="*", help=f"of {' '.join(CASES)} (default all)")
    options = parser.parse_args()
    failed = unavailable = 0
    for name in options.case or CASES:
        print(name, flush=True)
        try:
            CASES[name](options)
        except lab.Unavailable as reason:
            print(f"not run: {name}: {reason}")
            unavailable += 1
        except Exception:  # whatever it is, the other cases are still of interest
            traceback.print_exc()
            failed += 1
    print(f"{failed} failed" if failed else "not all of them could run" if unavailable else "all passed")
    return 1 if failed else lab.Unavailable.status if unavailable else 0


sys.exit(main())
