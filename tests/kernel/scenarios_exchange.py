#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: rdsco and an unmodified kernel do not understand each other in one address order or family, at one size, or when congested.
# How the test forces it: every one of those, both ways, from a kernel that has never heard of us; every byte is compared, every datagram accounted for.
import sys

sys.dont_write_bytecode = True
from scenario import (  # noqa: E402
    ALL_SIZES, EVERY_ADDRESS, LONG_LIMIT, arguments, check, check_acknowledged, check_arrived, check_taken, each_address, flow_of,
    kernel_address, own_drops, run)

COUNT = 25


def we_speak_first(wire, own):
    receiving = wire.kernel_receiver("receive", own, "--sizes", ALL_SIZES, "--expect", COUNT)
    _, ours = wire.our_sender("send", own, "--sizes", ALL_SIZES, "--count", COUNT, "--window", 5, "--flow", 7).report()
    status, theirs = receiving.report()
    check_acknowledged(ours, COUNT)
    check_arrived(theirs, COUNT)
    check(status == 0 and flow_of(theirs)["flow"] == 7, theirs)


def the_kernel_speaks_first(wire, own):
    receiving = wire.our_receiver("receive", own, "--sizes", ALL_SIZES, "--expect", COUNT)
    status, theirs = wire.kernel_sender("send", own, "--sizes", ALL_SIZES, "--count", COUNT, "--flow", 8, "--blocking").report()
    check(status == 0, theirs)
    status, ours = receiving.report()
    check(status == 0 and flow_of(ours)["flow"] == 8 and flow_of(ours)["lost"] == 0, ours)
    check_taken(wire, ours, COUNT, "all sizes, nothing disturbed")


def both_ways_on_one_connection(wire, own):
    """Also what a kernel may notice of us: one TCP connection and no more, none reset, nothing dropped."""
    kernel = wire.kernel_sender("duplex", own, "--sizes", ALL_SIZES, "--count", COUNT, "--expect", COUNT, "--wait").wait_until_ready()
    ours = wire.our_sender("duplex", own, "--sizes", ALL_SIZES, "--count", COUNT, "--expect", COUNT, "--wait", "--linger-ms", 1000 * LONG_LIMIT)
    ours.wait_until_ready()
    status, pings = wire.kernel("ping", own, "--peer", own, "--count", 1).report()
    check(status == 0, pings)
    before = wire.kernel_facts()["counters"]
    ours.go()
    kernel.go()
    status, theirs = kernel.report()
    after = wire.kernel_facts()["counters"]
    check(wire.tcp_connections() == 1, "connections of one peer", wire.tcp_connections())
    ours.stop()
    _, facts = ours.report()
    check_arrived(theirs, COUNT)
    check_acknowledged(facts, COUNT)
    check(status == 0 and flow_of(facts)["lost"] == 0, facts)
    check_taken(wire, facts, COUNT, "both ways, nothing disturbed")
    changed = {name: after[name] - before[name] for name in after if name == "conn_reset" or name.startswith("recv_drop")}
    check(not any(changed.values()), "the kernel was disturbed", changed)


def pings(wire, own):
    receiving = wire.our_receiver("receive", own)
    for _ in range(2):
        status, theirs = wire.kernel("ping", own, "--peer", own, "--count", 20).report()
        check(status == 0 and theirs["answered"] == 20, theirs)
    receiving.stop()
    _, facts = receiving.report()
    check(facts["received"] == 0 and facts["counters"]["recv_ping"] >= 40, facts)
    status, facts = wire.ours("ping", own, "--peer", kernel_address(own), "--count", 20).report()
    check(status == 0 and facts["answered"] == 20 and not own_drops(facts["counters"]), facts)


def echoes(wire, own):
    count = 40
    flow = ("--sizes", "0,1,4096,100000", "--count", count, "--expect", count)
    echo = wire.kernel_receiver("echo", own)
    status, facts = wire.our_sender("duplex", own, *flow).report()
    check(status == 0, facts)
    check_acknowledged(facts, count)
    echo.stop()
    check(echo.report()[1]["returned"] == count, "the kernel's echo")
    echo = wire.our_receiver("echo", own)
    status, facts = wire.kernel_sender("duplex", own, *flow).report()
    check(status == 0, facts)
    echo.stop()
    status, facts = echo.report()
    check(status == 0 and facts["returned"] == count and facts["counters"]["rdsco_retired_by_tcp"] == 0, facts)


def the_kernels_reader_stops(wire, own):
    count = 600
    flow = ("--sizes", "1000,16,30000")
    stall = wire.kernel_receiver("stall", own, "--receive-buffer", 65536, *flow, "--expect", count)
    sending = wire.our_sender("send", own, *flow, "--count", count)
    sending.wait_for_output('"congested"')
    stall.go()
    status, theirs = stall.report()
    check(status == 0, theirs)
    check_arrived(theirs, count)
    status, ours = sending.report()
    check(status == 0 and ours["times_congested"] > 0 and ours["counters"]["cong_update_received"] >= 3, ours)
    check_acknowledged(ours, count)


def our_reader_stops(wire, own):
    count = 600
    flow = ("--sizes", "1000,16,30000")
    stall = wire.our_receiver("stall", own, "--receive-buffer", 65536, *flow, "--expect", count)
    sending = wire.kernel_sender("send", own, *flow, "--count", count)
    sending.wait_for_output('"congested"')
    stall.go()
    status, ours = stall.report()
    check(status == 0, ours)
    check_taken(wire, ours, count, "our reader stopped")
    status, theirs = sending.report()
    check(status == 0 and theirs["times_congested"] > 0 and theirs["congestion_updates"] > 0, theirs)


CASES = [each_address(case, EVERY_ADDRESS) for case in (we_speak_first, the_kernel_speaks_first, both_ways_on_one_connection, pings, echoes,
                                                        the_kernels_reader_stops, our_reader_stops)]

sys.exit(run(arguments(__doc__).parse_args(), CASES))
