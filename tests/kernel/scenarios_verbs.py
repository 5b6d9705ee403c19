#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: rdsco and an unmodified kernel's RDS over verbs do not understand each other: in who connects, in a size, in an
# acknowledgement, a map, a duel, a restart, in memory that one offers to the other. How the test forces it: each of them over soft-RoCE
# between two guests, one with the kernel's rds_rdma and one with rdsco; every byte is compared, every datagram accounted for.
import argparse
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
import lab  # noqa: E402
from lab.pair import ADDRESSES, Pair  # noqa: E402
from scenario import ALL_SIZES, KERNEL_PORT, OUR_PORT, check, check_arrived, flow_of, own_drops, progress, say  # noqa: E402

COUNT = 25
PATIENCE = 240
V4, V6 = ((ADDRESSES[0][family].split("/")[0], ADDRESSES[1][family].split("/")[0]) for family in (0, 1))
ADAPTER = "modprobe -a ib_uverbs rdma_ucm rdma_rxe && rdma link add rxe0 type rxe netdev eth0"


class Fabric:
    """The two guests: ours runs rdsco, theirs is the kernel."""

    def __init__(self, pair, options):
        self.our_guest, self.their_guest = pair.guests
        self.options = options
        for guest in pair.guests:
            self.order(guest, ADAPTER)
        self.order(self.their_guest, "modprobe rds_rdma")

    @staticmethod
    def order(guest, text):
        status, output, errors = guest.run(text, timeout=PATIENCE, directory="/")
        check(status == 0, text, output, errors)

    def restart_rds(self):
        """A kernel that knows nothing of us. Its connections take their time to end."""
        self.order(self.their_guest, "for attempt in $(seq 100); do rmmod rds_rdma rds && break; sleep 0.2; done; modprobe rds_rdma")

    def ours(self, hosts, command, *arguments):
        return self.our_guest.start([self.options.peer_binary, command, "--transport", "ib", "--local", hosts[0], "--timeout", str(PATIENCE),
                                     *map(str, arguments)])

    def theirs(self, hosts, command, *arguments):
        return self.their_guest.start([self.options.afrds, command, "--local", hosts[1], "--timeout", str(PATIENCE), *map(str, arguments)])

    def our_sender(self, hosts, command, *arguments):
        return self.ours(hosts, command, "--port", OUR_PORT, "--peer", hosts[1], "--peer-port", KERNEL_PORT, *arguments)

    def their_sender(self, hosts, command, *arguments):
        return self.theirs(hosts, command, "--port", KERNEL_PORT, "--peer", hosts[0], "--peer-port", OUR_PORT, *arguments)

    def our_receiver(self, hosts, command, *arguments):
        return self.ours(hosts, command, "--port", OUR_PORT, *arguments).wait_until_ready()

    def their_receiver(self, hosts, command, *arguments):
        return self.theirs(hosts, command, "--port", KERNEL_PORT, *arguments).wait_until_ready()


def finished(job):
    status, facts = job.report(PATIENCE + 60)
    check(status == 0, facts)
    return facts


def check_acknowledged(facts, count):
    counters = facts["counters"]
    check(facts["sent"] == facts["acknowledged"] == count and facts["unacknowledged"] == 0, facts)
    check(counters["rdsco_retired_by_ack"] >= count and counters["rdsco_retired_by_pong"] == counters["rdsco_retired_by_tcp"] == 0, counters)


def check_taken(facts, count):
    """Over verbs a kernel keeps what we have not acknowledged: it loses nothing either."""
    flow = flow_of(facts)
    check(flow["lost"] == flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0 and flow["received"] == count, facts)
    check(not own_drops(facts["counters"]), facts)


def we_connect(fabric, hosts):
    receiving = fabric.their_receiver(hosts, "receive", "--sizes", ALL_SIZES, "--expect", COUNT)
    ours = finished(fabric.our_sender(hosts, "send", "--sizes", ALL_SIZES, "--count", COUNT, "--window", 5, "--flow", 7))
    check_arrived(finished(receiving), COUNT)
    check_acknowledged(ours, COUNT)


def the_kernel_connects(fabric, hosts):
    receiving = fabric.our_receiver(hosts, "receive", "--sizes", ALL_SIZES, "--expect", COUNT)
    finished(fabric.their_sender(hosts, "send", "--sizes", ALL_SIZES, "--count", COUNT, "--flow", 8, "--blocking"))
    check_taken(finished(receiving), COUNT)


def pings(fabric, hosts):
    receiving = fabric.our_receiver(hosts, "receive")
    facts = finished(fabric.theirs(hosts, "ping", "--peer", hosts[0], "--count", 10))
    check(facts["answered"] == 10, facts)
    receiving.stop()
    check(receiving.report()[1]["counters"]["recv_ping"] >= 10, "pings")
    facts = finished(fabric.ours(hosts, "ping", "--peer", hosts[1], "--count", 10))
    check(facts["answered"] == 10, facts)


def the_command(fabric, hosts):
    """rdsco ping, as a person types it."""
    command = [fabric.options.rdsco, "ping", "--transport", "ib", "-c", "5", "-i", "100ms", "-I", hosts[0], hosts[1]]
    status, output, errors = fabric.our_guest.run(command, timeout=PATIENCE)
    answers = [line for line in output.decode().splitlines() if line.endswith("usec")]
    check(status == 0 and len(answers) == 5, output, errors)


def both_begin_at_once(fabric, hosts):
    """Neither knows the other: both connect, and reject each other until one gives way."""
    flow = ("--sizes", "0,100,5000", "--count", COUNT, "--expect", COUNT)
    kernel = fabric.their_sender(hosts, "duplex", *flow, "--wait").wait_until_ready()
    ours = fabric.our_sender(hosts, "duplex", *flow, "--wait").wait_until_ready()
    kernel.go()
    ours.go()
    facts = finished(ours)
    check_arrived(finished(kernel), COUNT)
    check_taken(facts, COUNT)
    check_acknowledged(facts, COUNT)


def readers_that_stop(fabric, hosts):
    count = 300
    flow = ("--sizes", "1000,16,30000", "--receive-buffer", 65536, "--expect", count)
    sending = ("--sizes", "1000,16,30000", "--count", count)
    many = 2000  # more than a send buffer holds that our map outruns
    stall = fabric.their_receiver(hosts, "stall", *flow)
    ours = fabric.our_sender(hosts, "send", *sending)
    ours.wait_for_output('"congested"', PATIENCE)
    stall.go()
    check_arrived(finished(stall), count)
    check_acknowledged(finished(ours), count)
    stall = fabric.our_receiver(hosts, "stall", *flow[:-1], many)
    theirs = fabric.their_sender(hosts, "send", *sending[:-1], many, "--send-buffer", 8000000)
    theirs.wait_for_output('"congested"', PATIENCE)
    stall.go()
    check_taken(finished(stall), many)
    finished(theirs)


def we_are_killed(fabric, hosts):
    """SIGKILL in mid-transfer: the kernel keeps its connection for a moment, takes the next life's request, and its numbers."""
    far = 1000000
    receiving = fabric.their_receiver(hosts, "receive", "--sizes", "100,20000", "--progress", 1)
    first = fabric.our_sender(hosts, "send", "--sizes", "100,20000", "--count", far, "--window", 8, "--progress", 1)
    first.wait_until(lambda: progress(first, "acknowledged") >= 40, "40 acknowledged", PATIENCE)
    first.signal(signal.SIGKILL)
    first.wait()
    acknowledged = progress(first, "acknowledged")
    second = finished(fabric.our_sender(hosts, "send", "--sizes", "100,20000", "--count", 100, "--window", 8, "--first", far))
    check_acknowledged(second, 100)
    receiving.wait_until(lambda: progress(receiving, "received") >= acknowledged + 100, "both lives", PATIENCE)
    receiving.stop()
    flow = flow_of(receiving.report()[1])
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0 and len(flow["lost_ranges"]) == 1, flow)
    (begin, end), = flow["lost_ranges"]
    check(acknowledged <= begin and end == far - 1 and flow["received"] == begin + 100, acknowledged, flow)


NOT_PERMITTED = "not permitted"
REMOTE_SIZES = f"1,4096,65536,{(1 << 20) - 4096}"


def conversation(fabric, hosts, we_lend, steps, sizes=REMOTE_SIZES, count=1, lender_has=(), borrower_has=()):
    """One lends memory, the other does what it is told to do with it. Both are asked how it went: (lender, borrower)."""
    lend = ("lend", "--steps", steps, "--sizes", sizes, "--count", count, *lender_has)
    if we_lend:
        borrowing = fabric.their_receiver(hosts, "borrow", *borrower_has)
        lending = fabric.our_sender(hosts, *lend)
    else:
        borrowing = fabric.our_receiver(hosts, "borrow", *borrower_has)
        lending = fabric.their_sender(hosts, *lend)
    status, lender = lending.report(PATIENCE + 60)
    if status != 0:
        borrowing.stop()
    borrower_status, borrower = borrowing.report(PATIENCE + 60)
    check(status == borrower_status == 0, lender, borrower)
    return lender, borrower


def check_done(lender, borrower, count, outcome):
    check(lender["done"] == borrower["done"] == count and lender["refused"] == lender["repeated"] == 0, lender, borrower)
    check(borrower["outcomes"] == {outcome: count}, borrower["outcomes"])


def we_use_the_kernels_memory(fabric, hosts, more=()):
    """RDMA_MAP with a datagram, and the offset of the memory in its page. It is the kernel's again when we are done with it."""
    lender, borrower = conversation(fabric, hosts, False, "write,read", lender_has=more)
    check_done(lender, borrower, 8, "done")
    check(lender["released"] == (8 if more else 0), lender)
    check(borrower["counters"]["conn_reset"] == 0, borrower["counters"])


def we_use_it_once(fabric, hosts):
    """The datagram behind our operation says whose memory it used, and the kernel frees it."""
    we_use_the_kernels_memory(fabric, hosts, ("--use-once",))


def the_kernel_uses_our_memory(fabric, hosts, more=()):
    lender, borrower = conversation(fabric, hosts, True, "write,read", lender_has=more)
    check_done(lender, borrower, 8, "0")
    check(lender["released"] == (8 if more else 0), lender)
    check(lender["counters"]["conn_reset"] == 0, lender["counters"])


def the_kernel_uses_it_once(fabric, hosts):
    the_kernel_uses_our_memory(fabric, hosts, ("--use-once",))


KEYS_THAT_ARE_OVER = "write,withdrawn-write,read,withdrawn-read,write"


def we_use_a_key_that_is_over(fabric, hosts):
    """It costs the connection, and nothing else: not what is sent behind it, not the next operation."""
    lender, borrower = conversation(fabric, hosts, False, KEYS_THAT_ARE_OVER, "4096", borrower_has=("--behind", 5))
    check(lender["done"] == 3 and lender["refused"] == 2 and lender["repeated"] == 0 and lender["behind"] == 25, lender)
    check(borrower["outcomes"] == {"done": 3, NOT_PERMITTED: 2} and borrower["counters"]["conn_reset"] >= 2, borrower)


def the_kernel_uses_a_key_that_is_over(fabric, hosts):
    lender, borrower = conversation(fabric, hosts, True, KEYS_THAT_ARE_OVER, "4096", borrower_has=("--behind", 5))
    check(lender["done"] == 3 and lender["refused"] == 2 and lender["repeated"] == 0 and lender["behind"] == 25, lender)
    check(borrower["outcomes"] == {"0": 3, "1": 2} and lender["counters"]["conn_reset"] >= 2, lender, borrower)


def kernels_permit_no_atomics(fabric, hosts):
    lender, borrower = conversation(fabric, hosts, False, "write,refused-add,refused-swap,write", "4096")
    check(lender["done"] == 2 and lender["refused"] == 2, lender)
    check(borrower["outcomes"] == {"done": 2, NOT_PERMITTED: 2}, borrower)


AHEAD = ("--steps", "write,read", "--sizes", f"1,20000,{(1 << 20) - 4096}", "--count", 4, "--ahead")
ROUNDS = 24


def check_ahead(lender, borrower):
    """Of every round one operation was done, and no other one."""
    check(lender["done"] == ROUNDS and lender["refused"] == 0 and 0 < lender["repeated"] < ROUNDS, lender, borrower)


def connections_end_under_operations(fabric, hosts):
    """We end the connection under an operation: what the kernel had offered on it is stale, and what it offers on the next is not."""
    borrowing = fabric.our_receiver(hosts, "borrow", "--cut-every", 6, "--behind", 2)
    lender = finished(fabric.their_sender(hosts, "lend", *AHEAD))
    borrower = finished(borrowing)
    check_ahead(lender, borrower)
    check(lender["behind"] == 2 * (ROUNDS + lender["repeated"]), lender)
    outcomes, resets = borrower["outcomes"], borrower["counters"]["conn_reset"]
    # Of one that was given up its datagram may have arrived all the same.
    given_up = ROUNDS + lender["repeated"] - outcomes["done"] - outcomes["stale"]
    check(given_up == resets > 0 and ROUNDS - given_up <= outcomes["done"] <= ROUNDS, lender, borrower)


def we_are_killed_under_operations(fabric, hosts):
    """SIGKILL between offers and operations on them: the next life is offered everything that was not done."""
    first = fabric.our_receiver(hosts, "borrow", "--progress", 1)
    lending = fabric.their_sender(hosts, "lend", *AHEAD)
    first.wait_until(lambda: progress(first, "done") >= 5, "5 operations done", PATIENCE)
    first.signal(signal.SIGKILL)
    first.wait()
    second = fabric.our_receiver(hosts, "borrow")
    lending.go()
    lender, borrower = finished(lending), finished(second)
    check_ahead(lender, borrower)
    check(borrower["outcomes"]["done"] == lender["repeated"], lender, borrower)


# What is offered by a kernel whose connections end is offered ahead: Linux 6.1 reads through a null pointer where memory is registered while its
# connection ends. Where we offer, soft-RoCE stops for ever when it repeats what it sent before a window was bound.
REMOTE_CASES = (we_use_the_kernels_memory, we_use_it_once, the_kernel_uses_our_memory, the_kernel_uses_it_once, we_use_a_key_that_is_over,
                the_kernel_uses_a_key_that_is_over, connections_end_under_operations, we_are_killed_under_operations, kernels_permit_no_atomics)

CASES = ((we_connect, V4), (the_kernel_connects, V4), (pings, V4), (the_command, V4), (both_begin_at_once, V4), (readers_that_stop, V4), (we_are_killed, V4),
         *((case, V4) for case in REMOTE_CASES), (we_connect, V6), (the_kernel_connects, V6), (both_begin_at_once, V6),
         (we_use_the_kernels_memory, V6), (the_kernel_uses_our_memory, V6))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--afrds", required=True, type=os.path.abspath)
    parser.add_argument("--peer-binary", required=True, type=os.path.abspath)
    parser.add_argument("--rdsco", required=True, type=os.path.abspath, help="the rdsco command")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    try:
        with Pair(options.kernel) as pair:
            say(f"kernel {pair.kernel}, soft-RoCE")
            return run(Fabric(pair, options), options.case)
    except lab.Unavailable as reason:
        say(f"not run: {reason}")
        return 77


def run(fabric, chosen):
    failed = 0
    for case, hosts in CASES:
        if chosen and case.__name__ not in chosen:
            continue
        begin = time.monotonic()
        try:
            case(fabric, hosts)
            fabric.restart_rds()
            say(f"  {case.__name__} {hosts[0]}: passed, {time.monotonic() - begin:.1f} s")
        except Exception as reason:
            say(f"  {case.__name__} {hosts[0]}: FAILED\n{reason}")
            failed += 1
            break
    say(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


sys.exit(main())
