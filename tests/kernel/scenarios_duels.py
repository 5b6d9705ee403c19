#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: both ends connect at once, one connection is thrown away, and with it datagrams that its TCP had acknowledged.
# How the test forces it: a kernel that has never heard of us and our node start to send at the same moment, again and again, in both address orders.
import collections
import sys

sys.dont_write_bytecode = True
from scenario import (  # noqa: E402
    BOTH_ORDERS, LOWER, LOWER_V6, arguments, check, check_acknowledged, check_arrived, check_taken, finish_receiving, kernel_address, run,
    say)

COUNT = 300
# So many times more turns than asked for, until both sides did connect at once.
PATIENCE = 5
GO_PORT = 7000
# Says go to our process (a signal) and to the kernel's (a datagram on the wire), with so many microseconds between: who connects first is
# decided within the few milliseconds that a handshake with an emulated kernel takes.
GO = """
import os, signal, socket, sys, time
process, kernel, port, delay = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
wire = socket.socket(socket.AF_INET6 if ":" in kernel else socket.AF_INET, socket.SOCK_DGRAM)
parts = [lambda: wire.sendto(b"go", (kernel, port)), lambda: os.kill(process, signal.SIGUSR1)]
for part in parts if delay >= 0 else reversed(parts):
    part()
    time.sleep(abs(delay) / 1e6)
"""


def duel(wire, own, turn):
    flow = ("--sizes", "64,16,1000", "--count", COUNT, "--expect", COUNT, "--wait", "--progress", 50)
    kernel = wire.kernel_sender("duplex", own, *flow, "--go-port", GO_PORT).wait_until_ready()
    ours = wire.our_sender("duplex", own, *flow).wait_until_ready()
    delay = (2 * turn % 9 - 4) * 700  # few turns have all kinds too
    go = [sys.executable, "-c", GO, ours.process.pid, kernel_address(own), GO_PORT, delay]
    check(wire.session.native.run(go)[0] == 0, "go")
    status, theirs = kernel.report()
    facts = finish_receiving(wire, ours, COUNT)[1]
    check_arrived(theirs, COUNT)
    check_acknowledged(facts, COUNT)
    check_taken(wire, facts, COUNT, f"duel {turn}, {own}")
    check(status == 0, theirs)
    counters = facts["counters"]
    return {name: counters[name] for name in ("tcp_connect_raced", "rdsco_kick_sent", "rdsco_connection_replaced", "rdsco_connect_failed",
                                              "conn_reset", "rdsco_retransmitted", "recv_drop_old_seq")}


def duels(wire):
    for own in (*BOTH_ORDERS, LOWER_V6):
        turns, total = 0, collections.Counter()
        wanted = wire.options.duels if own in BOTH_ORDERS else (wire.options.duels + 3) // 4
        while turns < wanted or (own == LOWER and not total["tcp_connect_raced"] and turns < PATIENCE * wanted):
            total.update(duel(wire, own, turns))
            wire.session.restart_rds()
            turns += 1
        say(f"    {own}: {turns} duels, {2 * turns * COUNT} datagrams, {dict(total)}")
        # Only the side that connects sees the other's attempt.
        check(own != LOWER or total["tcp_connect_raced"] > 0, "both never connected at once", dict(total))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--duels", type=int, default=20, help="in each address order, and a quarter of them over IPv6")
    return run(parser.parse_args(), [duels], native=True)  # it aims at a process id


sys.exit(main())
