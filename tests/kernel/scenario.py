# SPDX-License-Identifier: BSD-2-Clause
"""What the scenarios have in common: both sides of the wire, the account of a flow, the kernel's evidence, and the driver itself.

Whose loss is it? Everything that rdsco sends must arrive, once and in order. What a kernel sends may be lost by that kernel: its TCP
acknowledges bytes that its RDS, or a reset, then throws away, and it never sends them again. Such a loss is accepted only where a
connection ended and rdsco dropped nothing of what reached it; it is printed with the counters of both sides.
"""
import argparse
import json
import os
import signal
import time
import traceback

import lab

LOWER, HIGHER = "10.77.0.1", "10.77.0.3"
LOWER_V6, HIGHER_V6 = "fd77::1", "fd77::3"
EVERY_ADDRESS = (LOWER, HIGHER, LOWER_V6, HIGHER_V6)
BOTH_ORDERS = (LOWER, HIGHER)
ALL_SIZES = "0,1,4096,65536,1048576"
KERNEL_PORT, OUR_PORT = "4000", "5000"
RDS_CONNECTIONS = "state established '( sport = :16385 or dport = :16385 )'"
# A receiver that heard nothing for so long, while no byte lay unread in its host's TCP, has all that will come.
QUIET_SECONDS = 5
# For programs that a disturbance keeps busy; and how long the lab waits for them.
LONG_LIMIT, LONG_PATIENCE = 600, 660
# The kernel of these cases answers pings, however slowly it is emulated: how a peer without pings is dealt with has cases of its own.
PONG_PATIENCE_MS = 60000
# What rdsco refused although it had arrived. Old numbers are another matter: a kernel repeats messages after a reset, and must not get
# them through twice. A hole is not made so: whoever's number moved the expectation on was itself delivered, and behind it, in the order
# of its numbers, a kernel sends nothing from before it but repeats. How many were dropped is printed with every loss.
DROPS = ("recv_drop_bad_checksum", "recv_drop_no_sock", "recv_drop_dead_sock", "rdsco_drop_bad_frame", "rdsco_drop_bad_map",
         "rdsco_drop_too_large", "rdsco_drop_partial_timeout", "rdsco_drop_memory", "rdsco_accept_refused_limit", "rdsco_ack_future")
# Signs that a connection ended, which is when a kernel loses.
ENDS = ("conn_reset", "tcp_connect_raced", "rdsco_connection_replaced", "rdsco_accept_refused_order", "rdsco_kick_sent")


def check(condition, *facts):
    if not condition:
        raise AssertionError(" ".join(str(fact) for fact in facts))


def kernel_address(own):
    return "fd77::2" if ":" in own else "10.77.0.2"


class Wire:
    """A session with the programs of both sides, and the losses that were put down to the kernel."""

    def __init__(self, session, options):
        self.session = session
        self.options = options
        self.kernel_losses = []
        self.jobs = []  # of both sides
        self.begin_case()

    def begin_case(self):
        self.thrown_away_before = self.closed_with_unread_bytes()

    def closed_with_unread_bytes(self):
        """How many sockets of our side were closed while they held bytes that their TCP had acknowledged."""
        _, output, _ = self.session.native.run("cat /proc/net/netstat")
        names, values = [line.split()[1:] for line in output.decode().splitlines() if line.startswith("TcpExt:")]
        return int(values[names.index("TCPAbortOnClose")])

    def ours(self, command, own, *arguments):
        patience = () if "--pong-patience-ms" in arguments else ("--pong-patience-ms", PONG_PATIENCE_MS)
        job = self.session.native.start([self.options.peer_binary, command, "--local", own, *map(str, (*arguments, *patience))])
        self.jobs.append(job)
        return job

    def kernel(self, command, own, *arguments):
        job = self.session.guest.start([self.options.afrds, command, "--local", kernel_address(own), *map(str, arguments)])
        self.jobs.append(job)
        return job

    def our_sender(self, command, own, *arguments):
        to_kernel = ("--port", OUR_PORT, "--peer", kernel_address(own), "--peer-port", KERNEL_PORT)
        return self.ours(command, own, *to_kernel, *arguments)

    def kernel_sender(self, command, own, *arguments):
        return self.kernel(command, own, "--port", KERNEL_PORT, "--peer", own, "--peer-port", OUR_PORT, *arguments)

    def our_receiver(self, command, own, *arguments):
        return self.ours(command, own, "--port", OUR_PORT, *arguments).wait_until_ready()

    def kernel_receiver(self, command, own, *arguments):
        return self.kernel(command, own, "--port", KERNEL_PORT, *arguments).wait_until_ready()

    def kernel_facts(self):
        status, facts = self.session.guest.start([self.options.afrds, "info"]).report()
        check(status == 0, facts)
        return facts

    def tcp_connections(self):
        """Established connections of RDS in the guest."""
        _, output, _ = self.session.guest.run(f"ss -Htn {RDS_CONNECTIONS}", directory="/")
        return len(output.splitlines())

    def unread_by_us(self):
        """How many bytes lie unread in each of our side's connections."""
        _, output, _ = self.session.native.run(f"ss -Htn {RDS_CONNECTIONS}")
        return [int(line.split()[0]) for line in output.decode().splitlines()]

    def cut(self):
        """Nothing passes either way until join(): no end of a connection is heard of at the other end."""
        self.session.native.run(f"ip link set {self.session.wire_device} down")

    def join(self):
        self.session.native.run(f"ip link set {self.session.wire_device} up")

    def lost_by_kernel(self, what, lost, counters, facts):
        self.kernel_losses.append((what, lost))
        say(f"    the kernel lost {lost} of its own: {what}; rdsco counted {nonzero(counters)}; the kernel {nonzero(facts['counters'])}")


def say(text):
    print(text, flush=True)


def nonzero(counters):
    return {name: value for name, value in counters.items() if value}


def flow_of(facts):
    check(len(facts["flows"]) == 1 and facts["silent_sources"] == 0, "one flow was expected", facts)
    return facts["flows"][0]


def check_arrived(facts, count):
    """Everything that rdsco sent is there: no allowance."""
    flow = flow_of(facts)
    check(facts["clean"] and flow["lost"] == 0 and flow["received"] == count, facts)


def check_acknowledged(facts, count, mode="pongs"):
    """Our side knows that the kernel's RDS has everything, and knows it in the right way."""
    counters = facts["counters"]
    check(facts["sent"] == count and facts["acknowledged"] == count and facts["unacknowledged"] == 0, facts)
    check([row["acknowledged_by"] for row in facts["connections"]] == [mode], facts["connections"])
    retired, other = ("rdsco_retired_by_pong", "rdsco_retired_by_tcp") if mode == "pongs" else ("rdsco_retired_by_tcp", "rdsco_retired_by_pong")
    check(counters[retired] >= count and counters[other] == 0 and counters["rdsco_retired_by_ack"] == 0, counters)
    check(counters["rdsco_ack_frames_sent"] == 0, "a kernel was sent acknowledgement frames", counters)


def check_taken(wire, facts, count, what):
    """The flow of the kernel: once, in order, whole; a hole only where rdsco dropped nothing."""
    check(facts["flows"], f"nothing of the kernel's flow arrived: {what}", facts)
    flow = flow_of(facts)
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == flow["unexpected"] == 0, what, facts)
    check(flow["received"] + flow["lost"] == count, what, facts)
    dropped = own_drops(facts["counters"])
    check(not dropped, f"rdsco dropped datagrams of the kernel: {what}", dropped, facts)
    if flow["lost"]:
        theirs = wire.kernel_facts()
        ended = {name: counters[name] for counters in (facts["counters"], theirs["counters"]) for name in ENDS if counters.get(name)}
        check(ended, f"{flow['lost']} are missing, and no connection ended: {what}", facts, theirs)
        thrown_away = wire.closed_with_unread_bytes() - wire.thrown_away_before
        check(thrown_away == 0, f"{flow['lost']} are missing, and rdsco closed {thrown_away} sockets with unread bytes: {what}", facts)
        wire.lost_by_kernel(f"{what}, indices {flow['lost_ranges']}", flow["lost"], facts["counters"], theirs)


def own_drops(counters):
    return {name: counters[name] for name in DROPS if counters[name]}


def progress(job, what):
    """The last number of that kind that a program has spoken of, by its option --progress; it only grows."""
    sign = f'"{what}":'.encode()
    for line in reversed(job.stdout().rpartition(b"\n")[0].splitlines()):
        if b'"event":"progress"' in line and sign in line:
            return json.loads(line)[what]
    return 0


def finish_receiving(wire, job, owed=0, timeout=lab.PATIENCE):
    """The report of a receiver whose senders have ended: at once if it has all it expects, else after nothing came for a while.
    Its option --progress tells. `owed`: how many of its own datagrams are to be acknowledged first."""
    limit = time.monotonic() + timeout
    last, since, nothing_unread = None, time.monotonic(), 0
    while time.monotonic() < limit and nothing_unread < 2:
        try:
            job.wait(0.2)
            return job.report()
        except lab.TimedOut:
            now = progress(job, "received"), min(owed, progress(job, "acknowledged"))
        if now != last or now[1] < owed:
            last, since, nothing_unread = now, time.monotonic(), 0
        elif time.monotonic() - since > QUIET_SECONDS:
            # Twice, because a process may have taken the bytes and not told yet.
            nothing_unread = 0 if any(wire.unread_by_us()) else nothing_unread + 1
    job.stop()
    return job.report()


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--afrds", required=True, type=os.path.abspath, help="the program rdsco_afrds")
    parser.add_argument("--peer-binary", required=True, type=os.path.abspath, help="the program rdsco_kernel_peer")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--paired", action="store_true", help="our side in a guest of its own, as where no TAP can be made")
    parser.add_argument("case", nargs="*", help="names of cases (default all)")
    return parser


def each_address(case, addresses):
    """A fresh kernel for every address, because who speaks first on a new connection matters."""
    def cases(wire):
        for own in addresses:
            wire.begin_case()
            case(wire, own)
            wire.session.restart_rds()
    cases.__name__ = case.__name__
    return cases


def open_session(options, native):
    """Our side runs natively; where that is not possible, and the scenario does not need it, in a guest of its own."""
    try:
        if not options.paired:
            return lab.Session(options.kernel, tap=True)
    except lab.Unavailable as reason:
        if native:
            raise
        say(f"our side runs in a guest, too: {reason}")
    return lab.PairedSession(options.kernel)


def run(options, cases, native=False):
    """Runs the cases in one guest, each on a kernel that knows nothing of the one before; returns the exit status."""
    try:
        with open_session(options, native) as session:
            return run_in(Wire(session, options), cases, options.case)
    except lab.Unavailable as reason:
        say(f"not run: {reason}")
        return 77


def run_in(wire, cases, chosen):
    failed = 0
    say(f"kernel {wire.session.kernel}")
    for case in cases:
        if chosen and case.__name__ not in chosen:
            continue
        begin = time.monotonic()
        try:
            wire.begin_case()
            case(wire)
            wire.session.restart_rds()
            say(f"  {case.__name__}: passed, {time.monotonic() - begin:.1f} s")
        except Exception:  # whatever it is, the other cases are still of interest
            say(f"  {case.__name__}: FAILED")
            traceback.print_exc()
            failed += 1
            clean_up(wire)
    # scripts/kernel-losses looks for these lines.
    for what, lost in wire.kernel_losses:
        say(f"lost by the kernel: {lost}, {what}")
    if not wire.kernel_losses:
        say("lost by the kernel: nothing")
    say(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


def clean_up(wire):
    """After a failure: no program of either side may be left to disturb the next case."""
    try:
        wire.join()
        for job in wire.jobs:
            if not job.done():
                job.signal(signal.SIGKILL)
                job.wait(lab.PATIENCE)
        wire.session.restart_rds()
    except lab.LabError as reason:
        say(f"cannot clean up: {reason}")
