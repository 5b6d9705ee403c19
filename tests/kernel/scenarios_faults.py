#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: a reset, a killed process, a reloaded module or a kernel without pings makes rdsco lose, repeat or reorder datagrams.
# How the test forces it: each of them in the middle of traffic both ways, many times, in both address orders; every datagram is accounted for.
import signal
import sys
import time

sys.dont_write_bytecode = True
from scenario import (  # noqa: E402
    BOTH_ORDERS, HIGHER_V6, LONG_LIMIT, LONG_PATIENCE, OUR_PORT, arguments, check, check_acknowledged, check_arrived, check_taken, each_address,
    finish_receiving, flow_of, kernel_address, own_drops, progress, run, say)

SIZES = "16,100,1000,20000,64,300000"
FAR = 1000000  # where the second life of a flow begins: what is between is what the first life had not sent


def wait_for(job, what, count, timeout=LONG_PATIENCE):
    """Returns once a program has sent, received, or knows acknowledged so many."""
    job.wait_until(lambda: progress(job, what) >= count, f"{count} {what}", timeout)


class Resets:
    """Resets the connections in the guest again and again, at moments that nothing else decides."""

    def __init__(self, wire):
        every = "ss -H -K -n -t state established '( sport = :16385 or dport = :16385 )'"
        self.job = wire.session.guest.start(f"while sleep 0.05; do {every}; done", directory="/")

    def done(self):
        return len(self.job.stdout().splitlines())

    def end(self):
        self.job.signal(signal.SIGKILL)
        self.job.wait()
        return self.done()


def resets(wire, own):
    """In the middle of messages of both sides."""
    count = wire.options.messages
    flow = ("--sizes", SIZES, "--count", count, "--expect", count, "--timeout", LONG_LIMIT)
    kernel = wire.kernel_sender("duplex", own, *flow, "--send-buffer", 2000000).wait_until_ready()
    ours = wire.our_sender("duplex", own, *flow, "--send-buffer", 2000000, "--progress", 10).wait_until_ready()
    wait_for(ours, "sent", 10)
    storm = Resets(wire)
    wait_for(ours, "sent", count, LONG_PATIENCE)
    done = storm.end()
    status, theirs = kernel.report(LONG_PATIENCE)
    facts = finish_receiving(wire, ours, count)[1]
    counters = facts["counters"]
    say(f"    {own}: {done} resets, we sent {counters['rdsco_retransmitted']} again, "
        f"and dropped {counters['recv_drop_old_seq']} that the kernel repeated")
    check_arrived(theirs, count)
    check_acknowledged(facts, count)
    check_taken(wire, facts, count, f"{done} resets, {own}")
    check(done >= 2, "not disturbed enough", done, counters)
    check(status == 0, theirs)


def cuts(wire, own):
    """The wire is cut with our datagrams on it, the kernel forgets the connection, and the wire is joined: what is sent again comes
    before everything new, or the kernel would drop it as old."""
    # On a busy machine everything may be over before the wire is cut: then there is more to send.
    for count in (1200, 5000, 20000):
        if cut_in_mid_transfer(wire, own, count):
            return
        wire.session.restart_rds()
    check(False, f"{count} datagrams were sent, and nothing had to be sent again")


def cut_in_mid_transfer(wire, own, count, rounds=2):
    """Whether the cuts made us send something again. Whatever they did, everything must have arrived."""
    flow = ("--sizes", SIZES, "--count", count, "--expect", count, "--timeout", LONG_LIMIT, "--send-buffer", 2000000)
    # Never congested, so that our send buffer is what holds us back, and full when the wire is cut.
    kernel = wire.kernel_sender("duplex", own, *flow, "--receive-buffer", 200000000).wait_until_ready()
    ours = wire.our_sender("duplex", own, *flow, "--progress", 1)
    for turn in range(rounds):
        wait_for(ours, "sent", (turn + 1) * count // (rounds + 2), LONG_PATIENCE)
        wire.cut()
        wire.session.reset_tcp()
        wire.join()
    status, theirs = kernel.report(LONG_PATIENCE)
    facts = finish_receiving(wire, ours, count)[1]
    check_arrived(theirs, count)
    check_acknowledged(facts, count)
    check_taken(wire, facts, count, f"{rounds} cuts, {own}")
    check(status == 0, theirs)
    return facts["counters"]["rdsco_retransmitted"] > 0


class Standstill:
    """Bytes lie unread in our TCP, and for a while neither more nor fewer, however often it is asked."""

    SECONDS, TIMES = 1.5, 6

    def __init__(self, wire):
        self.wire = wire
        self.last = None
        self.begin_again()

    def begin_again(self):
        self.since, self.times = time.monotonic(), 0

    def __call__(self):
        now = self.wire.unread_by_us()
        if now != self.last or not any(now):
            self.last = now
            self.begin_again()
        self.times += 1
        return self.times >= self.TIMES and time.monotonic() - self.since >= self.SECONDS


def unread_bytes(wire, own):
    """The connection is reset while bytes that our TCP has acknowledged lie unread in it: the kernel will never send them again."""
    count = 40
    ours = wire.our_receiver("stall", own, "--receive-buffer", 4096, "--sizes", "300000", "--expect", count, "--linger-ms", 1000, "--progress", 1)
    # Queued before there is a connection, because afterwards our congestion map would hold the kernel back.
    wire.cut()
    kernel = wire.kernel_sender("send", own, "--sizes", "300000", "--count", count, "--send-buffer", 20000000, "--progress", count)
    kernel.wait_for_output('"progress"')
    wire.join()
    ours.wait_until(Standstill(wire), "bytes that nobody reads")  # the kernel may be done: our TCP has room for all of them
    wire.session.reset_tcp()
    ours.go()
    status, theirs = kernel.report()
    facts = finish_receiving(wire, ours)[1]
    check(status == 0 and facts["counters"]["rdsco_reading_stopped"] > 0, "reading was not stopped", theirs, facts["counters"])
    check_taken(wire, facts, count, f"reset with unread bytes, {own}")
    check(flow_of(facts)["lost"] == 0, facts)


def we_are_killed(wire, own):
    """SIGKILL in mid-transfer, and a new process at once. What the dead one had queued is gone with it. What the kernel had acknowledged
    to it has arrived, nothing comes twice, and the numbers of the second life are taken, retransmissions too."""
    count = 1000
    receiving = wire.kernel_receiver("receive", own, "--sizes", SIZES, "--timeout", LONG_LIMIT)
    sending = wire.kernel("send", own, "--port", 4001, "--peer", own, "--peer-port", OUR_PORT, "--sizes", SIZES, "--count", count,
                          "--send-buffer", 400000, "--timeout", LONG_LIMIT)
    life = ("--sizes", SIZES, "--window", 24, "--progress", 1, "--timeout", LONG_LIMIT)
    first = wire.our_sender("duplex", own, *life, "--count", FAR)
    wait_for(first, "acknowledged", 300)
    first.signal(signal.SIGKILL)
    first.wait()
    acknowledged, taken = progress(first, "acknowledged"), progress(first, "received")
    second = start_again(lambda: wire.our_sender("duplex", own, *life, "--count", 500, "--first", FAR))
    wait_for(second, "acknowledged", 24)
    wire.cut()
    wire.session.reset_tcp()
    wire.join()
    wait_for(second, "acknowledged", 500)
    status, theirs = sending.report(LONG_PATIENCE)
    check(status == 0, theirs)
    facts = finish_receiving(wire, second)[1]
    receiving.stop()
    arrived = flow_of(receiving.report()[1])
    check(arrived["duplicated"] == arrived["reordered"] == arrived["corrupt"] == 0, arrived)
    check(len(arrived["lost_ranges"]) == 1, "one hole: what the killed process had not sent", arrived)
    (begin, end), = arrived["lost_ranges"]
    check(acknowledged <= begin and end == FAR - 1 and arrived["received"] == begin + 500, acknowledged, arrived)
    flow = check_one_hole_at_the_beginning(facts)
    check(flow["received"] + flow["lost"] == count, facts)
    gone = flow["lost"] - taken
    say(f"    {own}: killed with {acknowledged} acknowledged, {begin} arrived; of the kernel's, {taken} were taken before and "
        f"{'about ' + str(gone) if gone > 0 else 'none'} lay in the dead process")


def start_again(start, attempts=100):
    """The system may keep the listening socket of a process that died with operations in its ring for a moment longer."""
    for _ in range(attempts):
        job = start()
        try:
            return job.wait_until_ready()
        except LookupError as reason:
            if "address in use" not in str(reason):
                raise
            time.sleep(0.2)
    raise AssertionError("the address of a killed process stays in use")


def check_one_hole_at_the_beginning(facts):
    """The second life of a receiver has everything from some datagram on."""
    flow = flow_of(facts)
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0 and flow["received"] > 0, facts)
    check(len(flow["lost_ranges"]) <= 1 and all(begin == 0 for begin, _ in flow["lost_ranges"]), facts)
    return flow


def the_kernel_is_restarted(wire, own):
    """Its programs are killed and its module is loaded anew in mid-transfer; our node lives on. What we send while nobody is bound over
    there the kernel acknowledges and drops: that is RDS."""
    ours = wire.our_sender("duplex", own, "--sizes", SIZES, "--count", FAR, "--send-buffer", 400000, "--progress", 1, "--timeout", LONG_LIMIT)
    ours.wait_until_ready()
    receive = ("receive", own, "--sizes", SIZES, "--timeout", LONG_LIMIT, "--progress", 1)
    send = ("send", own, "--port", 4001, "--peer", own, "--peer-port", OUR_PORT, "--sizes", SIZES, "--send-buffer", 400000)
    first = [wire.kernel_receiver(*receive), wire.kernel(*send, "--count", FAR)]
    wait_for(ours, "acknowledged", 300)
    wait_for(ours, "received", 300)
    for job in first:
        job.signal(signal.SIGKILL)
        job.wait()
    wire.session.restart_rds()
    receiving = wire.kernel_receiver(*receive)
    status, theirs = wire.kernel(*send, "--count", 300, "--first", FAR).report()
    check(status == 0, theirs)
    wait_for(receiving, "received", 300)
    facts = finish_receiving(wire, ours)[1]
    receiving.stop()
    check_one_hole_at_the_beginning(receiving.report()[1])
    flow = flow_of(facts)
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0 and len(flow["lost_ranges"]) == 1, facts)
    (begin, end), = flow["lost_ranges"]
    check(begin >= 300 and end == FAR - 1 and flow["received"] == begin + 300, facts)
    check(facts["counters"]["rdsco_peer_restarted"] >= 1 and not own_drops(facts["counters"]), facts["counters"])


# Loads the module anew and lets a program queue three messages and end, until it took no multipath probe along, which would stay in the
# queue with the number 1. Whether there is one depends on a hash of the program's socket that nobody can choose.
WITHDRAW = """
for attempt in $(seq 100); do
  rmmod rds_tcp rds && modprobe rds_tcp || exit
  {send} >/dev/null
  {info} | grep -q '"next_tx_seq":4' && exit
done
exit 1
"""


def a_restarted_kernel_begins_above_one(wire, own):
    """The first messages of a restarted kernel were taken back before it could connect: its first number on the wire is not 1."""
    count = 50
    afrds = wire.options.afrds
    ours = wire.our_receiver("receive", own, "--sizes", "100", "--expect", 2 * count)
    flow = ("--sizes", "100", "--count", count)
    check(wire.kernel_sender("send", own, *flow).report()[0] == 0, "the first life")
    wire.cut()
    send = f"{afrds} send --local {kernel_address(own)} --peer {own} --peer-port {OUR_PORT} --count 3 --leave"
    status, _, errors = wire.session.guest.run(WITHDRAW.format(send=send, info=f"{afrds} info"), timeout=LONG_PATIENCE, directory="/")
    check(status == 0, "the kernel cannot be brought to number 4", errors)
    wire.join()
    status, theirs = wire.kernel_sender("send", own, *flow, "--first", count).report()
    check(status == 0, theirs)
    facts = finish_receiving(wire, ours)[1]
    check_taken(wire, facts, 2 * count, f"restarted kernel, {own}")
    check(flow_of(facts)["lost"] == 0 and facts["counters"]["rdsco_peer_restarted"] == 1, facts)


def pings_switched_off(wire, own):
    """A kernel that answers no ping: what its TCP acknowledged has to do, and is counted so."""
    count = 200
    check(wire.session.guest.run("sysctl -qw net.rds.ping_enable=0", directory="/")[0] == 0, "no net.rds.ping_enable")
    receiving = wire.kernel_receiver("receive", own, "--sizes", "0,100,70000", "--expect", count)
    status, facts = wire.our_sender("send", own, "--sizes", "0,100,70000", "--count", count, "--pong-patience-ms", 500).report()
    check(status == 0, facts)
    check_acknowledged(facts, count, "transport")
    check_arrived(receiving.report()[1], count)


def pings_are_switched_off(wire, own):
    """In the middle of a connection on which pings were answered: the connection ends, its successor learns that there are none, and
    nothing of either side is lost with it."""
    # A kernel that is slower than that seems to answer no pings from the beginning.
    for patience in (1000, 10000, 60000):
        counters = answers_that_end(wire, own, patience)
        if counters["rdsco_pong_overdue"] >= 1 and counters["rdsco_retired_by_pong"] > 0 and counters["rdsco_retired_by_tcp"] > 0:
            return
        wire.session.restart_rds()
    check(False, "no answered ping, or no unanswered one", counters)


def answers_that_end(wire, own, patience):
    count = 600
    flow = ("--sizes", SIZES, "--count", count, "--expect", count, "--timeout", LONG_LIMIT)
    kernel = wire.kernel_sender("duplex", own, *flow, "--send-buffer", 400000).wait_until_ready()
    ours = wire.our_sender("duplex", own, *flow, "--send-buffer", 400000, "--progress", 1, "--pong-patience-ms", patience)
    wait_for(ours, "acknowledged", 50)
    check(wire.session.guest.run("sysctl -qw net.rds.ping_enable=0", directory="/")[0] == 0, "no net.rds.ping_enable")
    status, theirs = kernel.report(LONG_PATIENCE)
    facts = finish_receiving(wire, ours, count)[1]
    check_arrived(theirs, count)
    check_taken(wire, facts, count, f"pings switched off, {own}")
    check(status == 0 and facts["acknowledged"] == count and facts["unacknowledged"] == 0, facts)
    return facts["counters"]


CASES = [each_address(resets, (*BOTH_ORDERS, HIGHER_V6)),
         *(each_address(case, BOTH_ORDERS) for case in (cuts, unread_bytes, we_are_killed, the_kernel_is_restarted,
                                                        a_restarted_kernel_begins_above_one, pings_switched_off, pings_are_switched_off))]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=1500, help="each way with each address while connections are reset")
    return run(parser.parse_args(), CASES)


sys.exit(main())
