#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One end of a test of rds-stress, on the AF_RDS sockets of a kernel: what `rdsco stress` meets at the other end of the wire.

Without --peer it is the passive end. It judges as strictly as rds-stress: every datagram of a flow must be the next one, whole. Talks
JSON lines on stdout like rdsco_afrds; exit status 0 all was in order, 1 it was not. IPv4 only, as rds-stress and Python's AF_RDS are.
"""
import argparse
import collections
import errno
import json
import select
import socket
import struct
import sys
import time

REQUEST, ACKNOWLEDGEMENT = 1, 2
HEADER = struct.Struct(">I4s4sHHHB")
HEADER_BYTES = 63  # what follows the fields is used with RDMA only
VERSION = b"2.0.7".ljust(16, b"\0")
# depth, sizes of requests, acknowledgements and RDMA; addresses to send to and to receive at; first port and tasks; seconds; flags; the
# vector, alignment and retries of RDMA and connecting.
OPTIONS = struct.Struct(">IIII4s4sHHI15BIII")
NEWER_BYTES = len(VERSION) + OPTIONS.size + 2
VERIFY, SIMPLEX = 3, 13  # places among the flags
GO = b"\0"


class Bogus(Exception):
    """A datagram that is not the next one."""


def say(**line):
    print(json.dumps(line, separators=(",", ":")), flush=True)


def pattern(size):
    made, k = bytearray(size), 11
    for index in range(size):
        k = (41 * (k + 3) + (index >> 8)) & 0xFF
        made[index] = k
    return bytes(made)


class Flow:
    """Between one task of this end and one of the other: the numbers of both directions, and the requests under way."""

    def __init__(self, test, rds, own, peer):
        self.test, self.rds, self.peer = test, rds, peer
        self.own_name = (socket.inet_aton(own[0]), own[1])
        self.peer_name = (socket.inet_aton(peer[0]), peer[1])
        self.next_sent = self.next_taken = self.next_index = self.next_asked = 0
        self.asked = collections.deque()
        self.owed = collections.deque()

    def send_all(self):
        """False when the kernel refused one: it is tried again later."""
        while self.owed or (self.test.asking and len(self.asked) < self.test.depth):
            kind, index = (ACKNOWLEDGEMENT, self.owed[0]) if self.owed else (REQUEST, self.next_index)
            if not self.send(kind, index):
                return False
            if kind == ACKNOWLEDGEMENT:
                self.owed.popleft()
            else:
                self.asked.append(index)
                self.next_index = (index + 1) % self.test.depth
        return True

    def send(self, kind, index):
        (own, own_port), (peer, peer_port) = self.own_name, self.peer_name
        head = HEADER.pack(self.next_sent, own, peer, own_port, peer_port, index, kind).ljust(HEADER_BYTES, b"\0")
        try:
            self.rds.sendto(head + self.test.payload[kind], self.peer)
        except OSError as refused:
            if refused.errno in (errno.EAGAIN, errno.ENOBUFS):
                return False
            raise
        self.next_sent = (self.next_sent + 1) & 0xFFFFFFFF
        return True

    def take(self, datagram):
        number, *names, index, kind = HEADER.unpack_from(datagram)
        wanted = [self.peer_name[0], self.own_name[0], self.peer_name[1], self.own_name[1]]
        if number != self.next_taken or names != wanted or kind not in self.test.payload:
            raise Bogus(f"header from {self.peer}: number {number}, not {self.next_taken}; {names}, not {wanted}; kind {kind}")
        self.next_taken = (number + 1) & 0xFFFFFFFF
        if len(datagram) != HEADER_BYTES + len(self.test.payload[kind]):
            raise Bogus(f"{len(datagram)} bytes from {self.peer} of kind {kind}")
        if self.test.verify and datagram[HEADER_BYTES:] != self.test.payload[kind]:
            raise Bogus(f"payload from {self.peer}, number {number}")
        due = self.next_asked if kind == REQUEST else self.asked[0] if self.asked else None
        if index != due:
            raise Bogus(f"index {index} of kind {kind} from {self.peer}, not {due}")
        if kind == ACKNOWLEDGEMENT:
            self.asked.popleft()
            self.test.answered += 1
        else:
            self.next_asked = (index + 1) % self.test.depth
            self.owed.append(index)
            self.test.requests += 1


class Test:
    def __init__(self, options, values, own, peer):
        (self.depth, request, acknowledgement, _, _, _, self.port, self.tasks, self.seconds, *flags) = values[:24]
        self.payload = {REQUEST: pattern(request - HEADER_BYTES), ACKNOWLEDGEMENT: pattern(acknowledgement - HEADER_BYTES)}
        self.verify = bool(flags[VERIFY])
        self.may_ask = bool(options.peer) or not flags[SIMPLEX]
        self.asking = False
        self.requests = self.answered = 0
        self.sockets = {}
        self.flows = {}
        for task in range(self.tasks):
            rds = socket.socket(socket.AF_RDS, socket.SOCK_SEQPACKET)
            rds.setblocking(False)
            rds.bind((own, self.port + 1 + task))
            self.sockets[rds.fileno()] = rds
            for other in range(self.tasks):
                target = (peer, self.port + 1 + other)
                self.flows[rds.fileno(), target] = Flow(self, rds, rds.getsockname(), target)

    def run(self, control):
        """To the end that the other end of the control connection makes, or the time of the active one."""
        polled = select.poll()
        for descriptor in (*self.sockets, control.fileno()):
            polled.register(descriptor, select.POLLIN)
        # rds-stress gives the other end two seconds to start up; whoever was heard of has.
        start = time.monotonic() + 2
        stop = None
        while stop is None or time.monotonic() < stop:
            now = time.monotonic()
            heard = self.requests + self.answered > 0
            self.asking = stop is None and self.may_ask and (heard or now > start)
            if stop is None:
                refused = [flow for flow in self.flows.values() if not flow.send_all()]
            for descriptor, _ in polled.poll(10 if refused else 100):
                if descriptor in self.sockets:
                    self.receive(self.sockets[descriptor])
                elif stop is None:
                    stop = self.begin_to_stop(polled, control)
            if stop is None and self.seconds and heard and now > start + self.seconds:
                stop = self.begin_to_stop(polled, control)

    def begin_to_stop(self, polled, control):
        """Nothing more is sent, acknowledgements neither; what is under way is still taken."""
        polled.unregister(control.fileno())
        control.close()
        return time.monotonic() + 1

    def receive(self, rds):
        try:
            while True:
                datagram, source = rds.recvfrom(1 << 20)
                if (rds.fileno(), source) not in self.flows:
                    raise Bogus(f"a datagram from {source}")
                self.flows[rds.fileno(), source].take(datagram)
        except BlockingIOError:
            pass


def whole(control, size):
    data = b""
    while len(data) < size:
        more = control.recv(size - len(data))
        if not more:
            raise Bogus("the other end hung up")
        data += more
    return data


def passive(options):
    with socket.create_server((options.own, options.port)) as listener:
        say(event="ready")
        control, (peer, _) = listener.accept()
    begin = whole(control, len(VERSION))
    newer = begin.startswith(b"2.0.7\0")
    data = begin + whole(control, (NEWER_BYTES if newer else OPTIONS.size) - len(VERSION))
    test = Test(options, OPTIONS.unpack_from(data, len(VERSION) if newer else 0), options.own, peer)
    control.sendall(whole(control, 1))
    return test, control


def active(options):
    control = socket.create_connection((options.peer, options.port), source_address=(options.own, 0))
    flags = [0] * 15
    flags[VERIFY], flags[SIMPLEX] = 1, int(options.simplex)
    values = (options.depth, options.request, options.acknowledgement, 0, socket.inet_aton(options.peer), socket.inet_aton(options.own),
              options.port, options.tasks, options.seconds, *flags, 1, 0, 0)
    control.sendall(VERSION + OPTIONS.pack(*values) + bytes(2) if options.newer else OPTIONS.pack(*values))
    test = Test(options, values, options.own, options.peer)
    say(event="ready")
    control.sendall(GO)
    whole(control, 1)
    return test, control


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", required=True, help="own address")
    parser.add_argument("--peer", help="address of the passive end: this is the active one")
    parser.add_argument("--port", type=int, default=4000, help="TCP port of the agreement; RDS ports begin behind it")
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=1)
    parser.add_argument("--request", type=int, default=1024, help="bytes")
    parser.add_argument("--acknowledgement", type=int, default=HEADER_BYTES, help="bytes")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--simplex", action="store_true")
    parser.add_argument("--newer", action="store_true", help="agree as 2.0.7 does with a type of service, not as 2.0.6")
    options = parser.parse_args()
    test, wrong = None, None
    try:
        test, control = active(options) if options.peer else passive(options)
        test.run(control)
    except Bogus as reason:
        wrong = str(reason)
    say(event="report", clean=wrong is None, wrong=wrong, requests=test.requests if test else 0, answered=test.answered if test else 0)
    return 1 if wrong else 0


sys.exit(main())
