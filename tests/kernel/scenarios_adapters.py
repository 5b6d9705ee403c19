#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# What could go wrong: two rdsco nodes on one real driver do not understand each other, in who connects, in a size, in a credit, in a peer that
# dies; a driver does what the fake adapters of other tests do not, to a connection, or to the process; an adapter that is removed stays held,
# and with it whoever removes it.
# How the test forces it: soft-RoCE or soft-iWARP on one device of a guest, which carries the traffic between two of its own addresses, from one
# process or two; every byte is compared, every datagram accounted for; peers are killed and adapters removed in mid-transfer.
import argparse
import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field

sys.dont_write_bytecode = True
import lab  # noqa: E402
from lab import kernels, siw  # noqa: E402
from scenario import ALL_SIZES, check, check_arrived, flow_of, own_drops, progress, say  # noqa: E402

PATIENCE = 120
# Nobody waits so long for anything but a process that does not let go.
REMOVAL_LIMIT = 60
PORTS = "4000", "5000"
V4, V6 = ("10.1.0.1", "10.1.0.2"), ("fd01::1", "fd01::2")
SUBNET = "10.1.0.0/24"
NETWORK = "modprobe -a dummy ib_uverbs rdma_ucm && ip link add d0 type dummy && " + "".join(
    f"ip addr add {host} dev d0 && " for host in (*(f"{host}/24" for host in V4), *(f"{host}/64 nodad" for host in V6))) + "ip link set d0 up"


@dataclass
class Kind:
    """What carries what, how an operation ends that the peer does not permit, who carries what stays within a node, and what it cannot: by a
    word that cases say they need, and the reason."""
    transport: str
    module: str
    refused: str
    bridged_by: str
    lacks: dict = field(default_factory=dict)


KINDS = {"rxe": Kind("ib", "rdma_rxe", "not permitted", "ib", {"a connection to reset": "within one soft-RoCE adapter nothing outside of it can end a connection"}),
         "siw": Kind("iwarp", "siw", "dropped", "loopback", {"types of service": "over iWARP all types of service are one connection",
                                                   "atomics": "soft-iWARP has no atomics",
                                                   "traffic within a node": "over iWARP no adapter carries it"})}


class Adapter:
    """A guest with one adapter, and our programs in it: hosts[0] and hosts[1] are both its own."""

    def __init__(self, session, options):
        self.guest = session.guest
        self.options = options
        self.kind = KINDS[options.adapter]
        self.lacks = dict(self.kind.lacks)
        if not (options.put_get and options.send_file):
            self.lacks["samples"] = "the samples are not built"
        self.jobs = []
        self.order(NETWORK)
        self.order(f"modprobe {self.kind.module}")
        self.insert()

    def order(self, text, limit=PATIENCE):
        status, output, errors = self.guest.run(text, timeout=limit, directory="/")
        check(status == 0, text, output, errors)

    def insert(self):
        self.order(f"rdma link add adapter type {self.options.adapter} netdev d0")

    def remove(self):
        """Returns when the last process has let go of it."""
        try:
            self.order("rdma link delete adapter", REMOVAL_LIMIT)
        except lab.TimedOut:
            raise AssertionError(f"the adapter was not let go of in {REMOVAL_LIMIT} s") from None

    def start(self, *command):
        job = self.guest.start([*map(str, command)])
        self.jobs.append(job)
        return job

    def peer(self, command, hosts, own, *arguments):
        """One of our nodes: number `own` of the two hosts."""
        return self.start(self.options.peer_binary, command, "--transport", self.kind.transport, "--local", hosts[own], "--timeout", PATIENCE,
                          *arguments)

    def receiver(self, command, hosts, own, *arguments):
        return self.peer(command, hosts, own, "--port", PORTS[own], *arguments).wait_until_ready()

    def sender(self, command, hosts, own, *arguments):
        to_other = ("--port", PORTS[own], "--peer", hosts[1 - own], "--peer-port", PORTS[1 - own])
        return self.peer(command, hosts, own, *to_other, *arguments)

    def both(self, hosts, *arguments):
        """rdsco_verbs_peer: both nodes in one process."""
        return self.start(self.options.verbs_peer, "--transport", self.kind.transport, "--one", hosts[0], "--other", hosts[1], *arguments)

    def tool(self, command, *arguments):
        return self.start(self.options.rdsco, command, "--transport", self.kind.transport, *arguments)

    def end_jobs(self):
        for job in self.jobs:
            if not job.done():
                job.signal(signal.SIGKILL)
                job.wait(PATIENCE)
        self.jobs = []


def finished(job):
    status, facts = job.report(PATIENCE + 60)
    check(status == 0, status, facts)
    return facts


def check_sent(facts, count, undisturbed=True):
    counters = facts["counters"]
    check(facts["sent"] == facts["acknowledged"] == count and facts["unacknowledged"] == 0, facts)
    check(counters["rdsco_retired_by_ack"] >= count and counters["rdsco_retired_by_pong"] == counters["rdsco_retired_by_tcp"] == 0, counters)
    # Nothing disturbs a connection: one that ended was ended by us, for want of a receive it may be.
    check(not undisturbed or counters["conn_reset"] == counters["rdsco_retransmitted"] == 0, counters)


def check_received(facts, count):
    check_arrived(facts, count)
    check(not own_drops(facts["counters"]), facts)


def in_one_process(adapter, hosts):
    job = adapter.both(hosts, "--count", 27)
    check(job.wait(PATIENCE) == 0 and b"; 0 resets, 0 retransmitted" in job.stdout(), job.tail())


def transfer(adapter, hosts, sender, count=5, sizes=ALL_SIZES, receiver_has=(), sender_has=()):
    receiving = adapter.receiver("receive", hosts, 1 - sender, "--sizes", sizes, "--expect", count, *receiver_has)
    sent = finished(adapter.sender("send", hosts, sender, "--sizes", sizes, "--count", count, *sender_has))
    received = finished(receiving)
    check_received(received, count)
    check_sent(sent, count)
    return sent, received


def either_connects(adapter, hosts):
    for sender in (0, 1):
        transfer(adapter, hosts, sender, sender_has=("--window", 5))


def both_begin_at_once(adapter, hosts):
    """Neither knows the other: both connect, and reject each other until one gives way."""
    count = 25
    flow = ("--sizes", "0,100,5000", "--count", count, "--expect", count, "--wait")
    jobs = [adapter.sender("duplex", hosts, own, *flow).wait_until_ready() for own in (0, 1)]
    for job in jobs:
        job.go()
    for facts in map(finished, jobs):
        check_received(facts, count)
        check_sent(facts, count, undisturbed=False)


def small_rings(adapter, hosts):
    """The sender is as often without a slot as without a receive of its peer."""
    rings = ("--receives", 4, "--sends", 4)
    transfer(adapter, hosts, 0, 60, "40000,0,9000", rings, rings)
    transfer(adapter, hosts, 1, 60, "40000,0,9000", rings, ("--receives", 256, "--sends", 128))


def readers_that_stop(adapter, hosts):
    count = 300
    stall = adapter.receiver("stall", hosts, 1, "--sizes", "1000,16,30000", "--receive-buffer", 65536, "--expect", count)
    sending = adapter.sender("send", hosts, 0, "--sizes", "1000,16,30000", "--count", count)
    sending.wait_for_output('"congested"', PATIENCE)
    stall.go()
    check_received(finished(stall), count)
    check_sent(finished(sending), count)


def pings(adapter, hosts):
    answering = adapter.receiver("receive", hosts, 1)
    facts = finished(adapter.peer("ping", hosts, 0, "--peer", hosts[1], "--count", 10))
    check(facts["answered"] == 10, facts)
    job = adapter.tool("ping", "-c", "5", "-i", "100ms", "-I", hosts[0], hosts[1])
    answers = job.wait(PATIENCE) == 0 and re.findall(r"^ +\d+: \d+ usec$", job.stdout().decode(), re.MULTILINE)
    check(answers and len(answers) == 5, job.tail())
    answering.stop()
    check(answering.report()[1]["counters"]["recv_ping"] >= 15, "pings")


def stress(adapter, hosts, *more):
    passive = adapter.tool("stress", "-r", hosts[1], "--json", "--patience", PATIENCE)
    passive.wait_until(lambda: adapter.guest.run("ss -Htln 'sport = :4000'")[1], "a listening socket", PATIENCE)
    active = adapter.tool("stress", "-r", hosts[0], "-s", hosts[1], "-t", 2, "-d", 4, "-q", 3000, "-a", 100, "-T", 2, "--json", "--patience",
                          PATIENCE, *more)
    for job in (active, passive):
        check(job.wait(PATIENCE) == 0, job.tail())
        account = json.loads(job.stdout())
        check(account["clean"] and not any(account["faults"].values()) and account["requests_received"] > 8, account)
        check(not more or (account["rdma_read"] and account["rdma_written"]), account)


def stress_with_rdma(adapter, hosts):
    stress(adapter, hosts, "-D", "20000", "-I", 3)


def types_of_service(adapter, hosts):
    sent, _ = transfer(adapter, hosts, 0, sender_has=("--type-of-service", 5))
    check([row["type_of_service"] for row in sent["connections"]] == [5], sent["connections"])


def receiver_is_killed(adapter, hosts):
    """SIGKILL in mid-transfer, again and again: the sender lives, and its next peer has what that one had not acknowledged."""
    sending = adapter.sender("send", hosts, 0, "--sizes", "100,20000", "--count", 1000000, "--window", 8, "--progress", 1)
    for _ in range(3):
        receiving = adapter.receiver("receive", hosts, 1, "--sizes", "100,20000", "--progress", 1)
        receiving.wait_until(lambda: progress(receiving, "received") >= 40, "40 received", PATIENCE)
        receiving.signal(signal.SIGKILL)
        receiving.wait()
    receiving = adapter.receiver("receive", hosts, 1, "--sizes", "100,20000", "--progress", 1)
    receiving.wait_until(lambda: progress(receiving, "received") >= 40, "40 received by the last", PATIENCE)
    sending.stop()
    sent = sending.report()[1]
    receiving.stop()
    flow = flow_of(receiving.report()[1])
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0, flow)
    check(len(flow["lost_ranges"]) == 1 and sent["counters"]["conn_reset"] >= 3, flow, sent)


def sender_is_killed(adapter, hosts):
    """The next life of the sender is talked to at once, and nothing of the first comes twice."""
    far = 1000000
    receiving = adapter.receiver("receive", hosts, 1, "--sizes", "100,20000", "--progress", 1)
    sending = adapter.sender("send", hosts, 0, "--sizes", "100,20000", "--count", far, "--window", 8, "--progress", 1)
    sending.wait_until(lambda: progress(sending, "acknowledged") >= 40, "40 acknowledged", PATIENCE)
    sending.signal(signal.SIGKILL)
    sending.wait()
    acknowledged = progress(sending, "acknowledged")
    check_sent(finished(adapter.sender("send", hosts, 0, "--sizes", "100,20000", "--count", 100, "--window", 8, "--first", far)), 100)
    receiving.wait_until(lambda: progress(receiving, "received") >= acknowledged + 100, "both lives", PATIENCE)
    receiving.stop()
    flow = flow_of(receiving.report()[1])
    (begin, end), = flow["lost_ranges"]
    check(flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0, flow)
    check(acknowledged <= begin and end == far - 1 and flow["received"] == begin + 100, acknowledged, flow)


def connections_break(adapter, hosts):
    """The TCP connection below is reset in mid-transfer, in every state it may be found in."""
    receiving = adapter.receiver("receive", hosts, 1, "--sizes", "100,100000,0,20000")
    sending = adapter.sender("send", hosts, 0, "--sizes", "100,100000,0,20000", "--count", 1000000, "--window", 8, "--progress", 1)
    ended = 0
    while ended < 4:
        before = progress(sending, "acknowledged") if ended else 0
        sending.wait_until(lambda: progress(sending, "acknowledged") > before, "more acknowledged", PATIENCE)
        ended += len(adapter.guest.run(f"ss -HKn state established dst {hosts[1]}", timeout=PATIENCE, directory="/")[1].splitlines())
    sending.stop()
    sent = sending.report()[1]
    receiving.stop()
    received = receiving.report()[1]
    check_nothing_lost(sent, received)
    check(sent["counters"]["conn_reset"] >= 2, sent["counters"])


def check_nothing_lost(sent, received):
    """Whatever happened to the connections of a sender that was then stopped."""
    flow = flow_of(received)
    check(flow["lost"] == flow["duplicated"] == flow["reordered"] == flow["corrupt"] == 0, flow)
    check(flow["received"] >= sent["acknowledged"] and not own_drops(received["counters"]), sent, received)


def removed_under_load(adapter, hosts):
    """Whoever removes the adapter comes back, and the traffic goes on when there is one again: nothing is lost by it."""
    receiving = adapter.receiver("receive", hosts, 1, "--sizes", "100,20000")
    sending = adapter.sender("send", hosts, 0, "--sizes", "100,20000", "--count", 1000000, "--window", 5, "--progress", 1)
    for turn in range(2):
        before = progress(sending, "acknowledged") if turn else 0
        sending.wait_until(lambda: progress(sending, "acknowledged") >= before + 50, "50 more acknowledged", PATIENCE)
        adapter.remove()
        adapter.insert()
    sending.stop()
    sent = sending.report()[1]
    receiving.stop()
    received = receiving.report()[1]
    check_nothing_lost(sent, received)
    for facts in (sent, received):
        check(facts["counters"]["rdsco_verbs_device_removed"] == 2, facts["counters"])


def removed_under_two_nodes(adapter, hosts):
    """They share what is open of the adapter."""
    job = adapter.both(hosts, "--count", 90)
    job.wait_for_output("under way", PATIENCE)
    adapter.remove()
    adapter.insert()
    check(job.wait(PATIENCE) == 0 and b"; 0 resets" not in job.stdout(), job.tail())


def removed_under_one_node(adapter, hosts):
    """It has both ends of what breaks."""
    job = adapter.both(hosts, "--count", 90, "--one-node")
    job.wait_for_output("under way", PATIENCE)
    adapter.remove()
    adapter.insert()
    check(job.wait(PATIENCE) == 0 and b"; 0 resets" not in job.stdout(), job.tail())


REMOTE_SIZES = f"1,4096,65536,{(1 << 20) - 4096},{3 << 20}"


def conversation(adapter, hosts, lends, steps, sizes, count=1, lender_has=(), borrower_has=()):
    """One lends memory, the other does what it is told to do with it: (lender, borrower)."""
    borrowing = adapter.receiver("borrow", hosts, 1 - lends, *borrower_has)
    lending = adapter.sender("lend", hosts, lends, "--steps", steps, "--sizes", sizes, "--count", count, *lender_has)
    status, lender = lending.report(PATIENCE + 60)
    if status != 0:
        borrowing.stop()
    borrower_status, borrower = borrowing.report(PATIENCE + 60)
    check(status == borrower_status == 0, lender, borrower)
    return lender, borrower


def remote_memory(adapter, hosts):
    for lends in (0, 1):
        for more in ((), ("--use-once",)):
            lender, borrower = conversation(adapter, hosts, lends, "write,read", REMOTE_SIZES, lender_has=more)
            check(lender["done"] == 10 and lender["repeated"] == 0 and lender["released"] == (10 if more else 0), lender)
            check(borrower["outcomes"] == {"done": 10} and borrower["counters"]["conn_reset"] == 0, borrower)


def atomics(adapter, hosts):
    for lends in (0, 1):
        lender, borrower = conversation(adapter, hosts, lends, "add,swap", "8", 5)
        check(lender["done"] == 10 and borrower["outcomes"] == {"done": 10} and borrower["counters"]["conn_reset"] == 0, lender, borrower)


def to_itself(adapter, hosts):
    """One node on both addresses. Between them the adapter carries it where its transport says so, from one to itself nobody's does."""
    job = adapter.start(adapter.options.one_node, "--transport", adapter.kind.transport, "--one", hosts[0], "--other", hosts[1])
    check(job.wait(PATIENCE) == 0 and ("atomics" in adapter.kind.lacks or b"without atomics" not in job.stdout()), job.tail())
    for line in job.stdout().decode().splitlines():
        say(f"    {line}")
    carried_by = re.findall(r"carried by (\w+)", job.stdout().decode())
    check(carried_by == [adapter.kind.bridged_by] * 2 + ["loopback"] * 2, job.tail())


def keys_that_are_over(adapter, hosts):
    """They cost the connection, and nothing else: not what is sent behind the operation, not the next one."""
    for lends in (0, 1):
        lender, borrower = conversation(adapter, hosts, lends, "write,withdrawn-write,read,withdrawn-read,write", "4096",
                                        borrower_has=("--behind", 5))
        check(lender["done"] == 3 and lender["refused"] == 2 and lender["repeated"] == 0 and lender["behind"] == 25, lender)
        check(borrower["outcomes"] == {"done": 3, adapter.kind.refused: 2}, borrower)


def connections_end_under_operations(adapter, hosts):
    """Each third operation is cut short with its connection, by either side: it is told, done again where it was not
    carried out, and no byte is wrong in the end."""
    rounds, sizes = 24, f"{1 << 20},20000"
    for lender_cuts in (False, True):
        cut = ("--cut-every", 3)
        lender, borrower = conversation(adapter, hosts, 0, "write,read", sizes, rounds // 4, cut if lender_cuts else (),
                                        ("--behind", 3, *(() if lender_cuts else cut)))
        check(lender["done"] == rounds, lender, borrower)
        check(borrower["counters"]["conn_reset"] >= 2 and lender["behind"] == 3 * (rounds + lender["repeated"]), lender, borrower)


def sample(adapter, program, *arguments):
    """Soft-iWARP holds root, too, to the limit of locked memory."""
    return adapter.start("prlimit", "--memlock=unlimited", program, adapter.kind.transport, *arguments)


def said(job):
    check(job.wait(PATIENCE) == 0, job.tail())
    return job.stdout().decode()


def put_get(adapter, hosts):
    """Each order of a client is a process of its own, with a connection of its own."""
    program = adapter.options.put_get
    sample(adapter, program, "serve", hosts[1], SUBNET).wait_for_output("serving", PATIENCE)

    def client(order, *words):
        return said(sample(adapter, program, order, hosts[1], hosts[0], *words))

    for key, value in (("apple", "red"), ("pear", "green"), ("apple", "yellow")):
        client("put", key, value)
    found = [client("get", key) for key in ("apple", "pear", "plum")]
    check(found == ["yellow\n", "green\n", "nothing\n"], found)


def send_file(adapter, hosts):
    """From either host, and the file is the same."""
    program, bytes_sent = adapter.options.send_file, 5_000_001
    adapter.order(f"head -c {bytes_sent} /dev/urandom > /dev/shm/sent")
    for own in (0, 1):
        receiving = sample(adapter, program, "receive", hosts[1 - own], SUBNET, "/dev/shm/received")
        receiving.wait_for_output("waiting", PATIENCE)
        check(said(sample(adapter, program, "send", hosts[own], hosts[1 - own], "/dev/shm/sent")) == "", "begun more than once")
        check(said(receiving).endswith(f"received {bytes_sent} bytes\n"), receiving.tail())
        adapter.order("cmp /dev/shm/sent /dev/shm/received && rm /dev/shm/received")
    adapter.order("rm /dev/shm/sent")


@dataclass
class Case:
    run: object
    hosts: tuple = V4
    needs: str = ""


CASES = [Case(in_one_process), Case(either_connects), Case(either_connects, V6), Case(both_begin_at_once),
         Case(small_rings), Case(readers_that_stop), Case(pings), Case(stress), Case(stress_with_rdma),
         Case(types_of_service, needs="types of service"),
         Case(remote_memory), Case(remote_memory, V6), Case(atomics, needs="atomics"), Case(keys_that_are_over),
         Case(to_itself), Case(to_itself, V6), Case(put_get, needs="samples"), Case(send_file, needs="samples"),
         Case(connections_end_under_operations), Case(receiver_is_killed), Case(sender_is_killed),
         Case(connections_break, needs="a connection to reset"), Case(removed_under_load), Case(removed_under_two_nodes),
         Case(removed_under_one_node, needs="traffic within a node")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", required=True, choices=KINDS)
    parser.add_argument("--peer-binary", required=True, type=os.path.abspath, help="the program rdsco_kernel_peer")
    parser.add_argument("--verbs-peer", required=True, type=os.path.abspath, help="the program rdsco_verbs_peer")
    parser.add_argument("--one-node", required=True, type=os.path.abspath, help="the program rdsco_one_node")
    parser.add_argument("--rdsco", required=True, type=os.path.abspath, help="the rdsco command")
    parser.add_argument("--put-get", type=os.path.abspath, help="the sample put_get")
    parser.add_argument("--send-file", type=os.path.abspath, help="the sample send_file")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    try:
        if options.adapter == "siw":
            siw.add_to(kernels.find(options.kernel, say), say)
        with lab.Session(options.kernel) as session:
            say(f"kernel {session.kernel}, {options.adapter}")
            return run(Adapter(session, options), options.case)
    except lab.Unavailable as reason:
        say(f"not run: {reason}")
        return 77


def run(adapter, chosen):
    failed = 0
    for case in CASES:
        name = case.run.__name__
        if chosen and name not in chosen:
            continue
        if case.needs in adapter.lacks:
            say(f"not run: {name}: {adapter.lacks[case.needs]}")
            continue
        begin = time.monotonic()
        try:
            case.run(adapter, case.hosts)
            say(f"  {name} {case.hosts[0]}: passed, {time.monotonic() - begin:.1f} s")
        except Exception as reason:
            say(f"  {name} {case.hosts[0]}: FAILED\n{reason}")
            failed += 1
            break  # an adapter that is held, or a wedged driver, would be blamed on the next
        adapter.end_jobs()
    say(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


sys.exit(main())
