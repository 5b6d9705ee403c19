# SPDX-License-Identifier: BSD-2-Clause
"""What is measured, beside whom, and what is aimed at: data."""
from dataclasses import dataclass, field

RDSCO, RAW, EPOLL, URING, ASIO, UCX, KERNEL = "rdsco", "raw", "epoll", "io_uring", "Asio", "UCX", "kernel RDS"


@dataclass(frozen=True)
class Run:
    """One measurement of one side. `tool`: program (bench/main.cpp), callgrind (the same, counted), ucx, ucx_callgrind, perftest."""
    measurement: str
    options: dict = field(default_factory=dict)
    count: int = 100_000
    quick: int = 10_000
    tool: str = "program"


@dataclass(frozen=True)
class Goal:
    """`at_most` or at least: of the ratio to the peer, or of the figure itself where the row has no peer."""
    value: float
    at_most: bool = True
    relative: bool = True

    def holds(self, value):
        return value <= self.value if self.at_most else value >= self.value

    def text(self):
        return f"{'≤' if self.at_most else '≥'} {self.value:g}{' ×' if self.relative else ''}"


@dataclass(frozen=True)
class Row:
    """`ours` and `peer` name a run and one of its figures; `peer_name`: where that is not what the run is called. `exact`: counted, not timed; the
    same in every round."""
    id: str
    title: str
    unit: str
    ours: tuple
    peer: tuple = None
    goal: Goal = None
    exact: bool = False
    peer_name: str = None


@dataclass(frozen=True)
class Case:
    """`rounds`: no more than these."""
    name: str
    runs: dict
    rows: tuple
    exact: bool = False
    rounds: int = None
    place: str = None  # a guest of the kernel lab (guests.py), or this machine


def beside(id, title, unit, figure, peers, goal, *, our_figure=None, against=None, exact=False):
    """One row for each peer; the goal stands beside the one it is about."""
    ours = (RDSCO, our_figure or figure)
    return [Row(id, title, unit, ours, (peer, figure), goal if peer == (against or peers[0]) else None, exact) for peer in peers]


def at_most(value):
    return Goal(value)


def at_least(value):
    return Goal(value, at_most=False)


def absolute(value):
    return Goal(value, relative=False)


def loopback():
    size = {"count": 2_000_000, "quick": 100_000}
    runs = {RDSCO: Run("loopback.in_turns", **size), "stream": Run("loopback.stream", **size),
            "channel": Run("channel.in_turns", **size), "channel stream": Run("channel.stream", **size),
            ASIO: Run("asio_channel.in_turns", count=500_000, quick=50_000),
            "Asio stream": Run("asio_channel.stream", count=500_000, quick=50_000),
            UCX: Run("self", tool="ucx", **size)}
    rows = beside("P1", "in process, 64 B, in turns", "ns", "ns", [UCX, "channel", ASIO], at_most(1.0))
    rows += [Row("P1", "in process, 64 B, one way", "ns", ("stream", "ns"), (peer, "ns"), at_most(1.0) if peer == UCX else None)
             for peer in (UCX, "channel stream", "Asio stream")]
    # The coroutines of the measurement itself are a few allocations in all.
    rows += [Row("P1", f"  allocations a message, {how}", "", (run, "allocations"), None, absolute(0.001), True)
             for how, run in (("in turns", RDSCO), ("one way", "stream"))]
    return Case("loopback", runs, tuple(rows))


def loopback_instructions():
    size = {"count": 20_000, "quick": 2_000, "tool": "callgrind"}
    runs = {RDSCO: Run("loopback.in_turns", **size), "stream": Run("loopback.stream", **size), "channel": Run("channel.in_turns", **size),
            "channel stream": Run("channel.stream", **size), ASIO: Run("asio_channel.in_turns", **size),
            "Asio stream": Run("asio_channel.stream", **size), UCX: Run("self", count=20_000, quick=2_000, tool="ucx_callgrind")}
    rows = []
    for how, ours, peers in (("in turns", RDSCO, (UCX, "channel", ASIO)), ("one way", "stream", (UCX, "channel stream", "Asio stream"))):
        title = f"in process, 64 B, {how}: instructions"
        rows.append(Row("P1", title, "", (ours, "instructions"), None, absolute(250), True))
        rows += [Row("P1", title, "", (ours, "instructions"), (peer, "instructions"), None, True) for peer in peers]
    return Case("loopback_instructions", runs, tuple(rows), exact=True)


def used(id, what, figure, peers, goal=None, *, ours=RDSCO):
    """Counts beside a timed row: ours with what is aimed at, then beside each peer."""
    return [Row(id, f"  {what}", "", (ours, figure), None, goal, True),
            *(Row(id, f"  {what}", "", (ours, figure), (peer, figure), None, True) for peer in peers)]


def round_trips(name, id, title, options, goal, more=lambda peers: [], **count):
    measurements = {RAW: "round_trip.raw", EPOLL: "round_trip.epoll", URING: "round_trip.uring", ASIO: "round_trip.asio"}
    runs = {RDSCO: Run("round_trip.rdsco", options, **count), **{peer: Run(named, options, **count) for peer, named in measurements.items()},
            UCX: Run("tcp_latency", options, tool="ucx", **count)}
    return Case(name, runs, (*beside(id, title, "ns", "p50_ns", [*measurements, UCX], goal), *more(list(measurements))))


def calls_of_a_round_trip(peers):
    """Where both sides block: whoever spins calls as often as it likes."""
    return [*used("P7", "allocations a round trip", "allocations", peers, absolute(0.001)), *used("P7", "system calls a round trip", "system_calls", peers),
            # A turn takes one answer: more calls than round trips would be a second wait in a turn, or a submission apart from it.
            Row("P7", "  waits (io_uring_enter) a round trip", "", (RDSCO, "ring_calls"), None, absolute(1.01), True)]


def adaptive(name, title, silence):
    quiet = {"silence-us": silence} if silence else {}
    spin, own = {"wait": "spin", **quiet}, {"wait": "adaptive", **quiet}
    count = {"count": 50_000, "quick": 5_000}
    runs = {RDSCO: Run("round_trip.rdsco", own, **count), "raw, spinning": Run("round_trip.raw", spin, **count),
            "rdsco, spinning": Run("round_trip.rdsco", spin, **count), "raw, blocking": Run("round_trip.raw", {"wait": "block", **quiet}, **count)}
    return Case(name, runs, tuple(beside("P3b", title, "ns", "p50_ns", ["raw, spinning", "rdsco, spinning", "raw, blocking"], at_most(1.15))))


def one_way():
    size = {"count": 5_000_000, "quick": 500_000}
    # The warm-up fills every queue on the way, TCP's too.
    options = {"wait": "adaptive", "warmup": 300_000}
    coalesced = {RAW: "one_way.raw", EPOLL: "one_way.epoll", "multishot": "one_way.uring", "Asio, coalesced": "one_way.asio_coalesced"}
    runs = {RDSCO: Run("one_way.rdsco", options, **size), **{peer: Run(named, options, **size) for peer, named in coalesced.items()},
            ASIO: Run("one_way.asio", {"wait": "adaptive", "warmup": 20_000}, count=300_000, quick=20_000),
            UCX: Run("tcp_rate", tool="ucx", count=100_000, quick=10_000)}
    rows = beside("P4", "TCP, 64 B, one way", "/s", "per_second", [*coalesced, ASIO, UCX], at_least(0.35))
    rows.append(Row("P4", "  later goal", "/s", (RDSCO, "per_second"), (RAW, "per_second"), at_least(0.5)))
    for side in ("sender", "receiver"):
        rows += used("P7", f"{side}: allocations a message", f"{side}_allocations", [ASIO], absolute(0.001))
        rows += used("P7", f"{side}: system calls a message", f"{side}_system_calls", [RAW, EPOLL, ASIO], absolute(0.02))
    return Case("one_way", runs, tuple(rows))


def pipelined():
    size = {"count": 2_000_000, "quick": 100_000}
    options = {"outstanding": 256, "wait": "spin"}
    runs = {RDSCO: Run("pipelined.rdsco", options, **size), RAW: Run("pipelined.raw", options, **size)}
    ours, raw = (RDSCO, "per_second"), (RAW, "per_second")
    title = "TCP, 64 B, 256 requests under way on one socket"
    return Case("pipelined", runs, (Row("P4b", title, "/s", ours, raw, at_least(0.18)), Row("P4b", "  later goal", "/s", ours, raw, at_least(0.4)),
                                    Row("P7", "  allocations a round trip", "", (RDSCO, "allocations"), None, absolute(0.001), True)))


def bulk():
    size = {"count": 8_000, "quick": 1_000}
    options = {"bytes": 1 << 20, "warmup": 200}
    runs = {RDSCO: Run("bulk.rdsco", {**options, "outstanding": 4, "wait": "adaptive"}, **size), RAW: Run("bulk.raw", options, **size),
            UCX: Run("tcp_bulk", tool="ucx", **size)}
    rows = beside("P5", "TCP, 1 MiB datagrams", "B/s", "bytes_per_second", [RAW, UCX], at_least(0.95))
    for side in ("sender", "receiver"):
        rows.append(Row("P7", f"  {side}: allocations a datagram", "", (RDSCO, f"{side}_allocations"), None, absolute(0.001), True))
        rows += used("", f"{side}: system calls a datagram", f"{side}_system_calls", [RAW])
    return Case("bulk", runs, tuple(rows))


def instructions():
    size = {"count": 4_000, "quick": 1_000, "tool": "callgrind"}
    options = {"wait": "block", "one-core": True, "untimed": True}
    peers = {RAW: "round_trip.raw", URING: "round_trip.uring", ASIO: "round_trip.asio"}
    runs = {RDSCO: Run("round_trip.rdsco", options, **size), **{peer: Run(name, options, **size) for peer, name in peers.items()}}
    title = "TCP, 64 B round trip: instructions of one side"
    rows = [Row("P6", title, "", (RDSCO, "instructions"), None, absolute(700), True)]
    rows += [Row("P6", title, "", (RDSCO, "instructions"), (peer, "instructions"), None, True) for peer in peers]
    return Case("instructions", runs, tuple(rows), exact=True)


def memory():
    connections = {"sockets": 400}
    runs = {"socket": Run("memory.sockets", {"sockets": 10_000}), RDSCO: Run("memory.connections", connections),
            ASIO: Run("memory.asio_connections", connections)}
    title, ours = "memory of an idle connection (of 400)", (RDSCO, "bytes")
    return Case("memory", runs, (
        Row("P8", "memory of an idle socket (of 10 000)", "B", ("socket", "bytes"), None, absolute(512), True),
        Row("P8", title, "B", ours, None, absolute(32 * 1024), True), Row("P8", title, "B", ours, (ASIO, "bytes"), None, True)), exact=True)


def sockets():
    counts = (64, 1024, 10_000)
    size = {"count": 60_000, "quick": 12_000}
    runs = {"1 socket": Run("round_trip.rdsco", {"wait": "spin"}, **size)}
    # The first lap over all sockets is not timed.
    runs |= {f"{n}": Run("round_trip.rdsco", {"wait": "spin", "sockets": n, "warmup": max(2_000, n)}, **size) for n in counts}
    return Case("sockets", runs, tuple(Row("P8", f"TCP, 64 B round trip, {n} sockets in turn", "ns", (f"{n}", "p50_ns"), ("1 socket", "p50_ns"),
                                           at_most(1.10) if n == counts[-1] else None) for n in counts))


def fan():
    runs, rows = {}, []
    for n in (1, 64, 1024):
        options = {"wait": "spin", "sockets": n}
        runs[f"rdsco {n}"] = Run("fan.rdsco", options, count=500_000, quick=50_000)
        runs[f"epoll, {n} streams"] = Run("fan.epoll", options, count=100_000, quick=10_000)
        rows.append(Row("", f"TCP, 64 B round trips, on {n} at once", "/s", (f"rdsco {n}", "per_second"), (f"epoll, {n} streams", "per_second")))
    return Case("fan", runs, tuple(rows))


def kernel_rds():
    size = {"count": 40_000, "quick": 4_000}
    # rds_tcp has RDS's own TCP port in every namespace.
    ends = {"client-network": "a", "server-network": "b", "client-address": "10.1.0.1", "server-address": "10.1.0.2", "port": 17000}
    runs = {RDSCO: Run("one_way.rdsco", {"wait": "adaptive", **ends}, **size), KERNEL: Run("one_way.kernel_rds", ends, **size)}
    row = Row("P11", "64 B, one way, two hosts in an emulated guest", "/s", (RDSCO, "per_second"), (KERNEL, "per_second"), at_least(5))
    return Case("kernel_rds", runs, (row,), place="two hosts")


# Of rdsco over soft-RoCE. RDS's own ports are the kernel's wherever rds_rdma is loaded.
ROCE = {"transport": "ib", "client-address": "10.1.0.2", "server-address": "10.1.0.1", "port": 17000}
KERNEL_ROCE = {name: ROCE[name] for name in ("client-address", "server-address")}
HEADER, FRAGMENT = 48, 4096


def perftest(measurement, bytes, **more):
    return Run(measurement, {"bytes": bytes, **more.pop("options", {})}, tool="perftest", **more)


def roce_latency(name, title, wait):
    size = {"count": 3_000, "quick": 500}
    runs = {RDSCO: Run("round_trip.rdsco", {"wait": wait, "warmup": 300, **ROCE}, **size),
            "ib_send_lat, 48 + 64 B": perftest("ib_send_lat", HEADER + 64, options={"wait": wait}, **size),
            "ib_send_lat, 64 B": perftest("ib_send_lat", 64, options={"wait": wait}, **size),
            KERNEL: Run("round_trip.kernel_rds", {"wait": wait, "warmup": 300, **KERNEL_ROCE}, **size)}
    ours = (RDSCO, "p50_ns")
    rows = [Row("P10", title, "ns", ours, (peer, "p50_ns"), None if peer == KERNEL else at_most(1.10)) for peer in runs if peer != RDSCO]
    return Case(name, runs, tuple(rows), place="adapter")


def roce_datagrams():
    """A fragment of RDS is a message of its own on the wire, whatever the size of the datagram."""
    mebibyte, rdsco = 1 << 20, {"bytes": 1 << 20, "outstanding": 4, "wait": "adaptive", "warmup": 8, **ROCE}
    runs = {RDSCO: Run("bulk.rdsco", rdsco, count=100, quick=20),
            "ib_send_bw, 48 + 4096 B": perftest("ib_send_bw", HEADER + FRAGMENT, count=25_600, quick=5_000),
            "ib_send_bw, 1 MiB": perftest("ib_send_bw", mebibyte, count=100, quick=20)}
    rows = [Row("P10", "soft-RoCE, 1 MiB datagrams", "B/s", (RDSCO, "bytes_per_second"), (peer, "bytes_per_second"), at_least(0.95))
            for peer in runs if peer != RDSCO]
    return Case("roce_datagrams", runs, tuple(rows), place="adapter")


def roce_writes():
    size = {"count": 100, "quick": 20}
    runs = {RDSCO: Run("writes.rdsco", {"bytes": 1 << 20, "outstanding": 16, "wait": "adaptive", "warmup": 16, **ROCE}, **size),
            "ib_write_bw": perftest("ib_write_bw", 1 << 20, **size)}
    row = Row("P10", "soft-RoCE, RDMA writes of 1 MiB", "B/s", (RDSCO, "bytes_per_second"), ("ib_write_bw", "bytes_per_second"), at_least(0.95))
    return Case("roce_writes", runs, (row,), place="adapter")


def roce_rate():
    size = {"count": 30_000, "quick": 4_000}
    runs = {RDSCO: Run("one_way.rdsco", {"wait": "adaptive", "warmup": 40_000, **ROCE}, **size),
            KERNEL: Run("one_way.kernel_rds", KERNEL_ROCE, **size),
            "ib_send_bw, 48 + 64 B": perftest("ib_send_bw", HEADER + 64, **size)}
    rows = [Row("P11", "soft-RoCE, 64 B, one way", "/s", (RDSCO, "per_second"), (peer, "per_second"), at_least(2) if peer == KERNEL else None)
            for peer in runs if peer != RDSCO]
    rows += [Row("P7", f"  {side}: allocations a message", "", (RDSCO, f"{side}_allocations"), None, absolute(0.001), True)
             for side in ("sender", "receiver")]
    return Case("roce_rate", runs, tuple(rows), place="adapter")


def roce_registration():
    """Each round trip beside the longest of those before: nobody aims at anything, a stall is to be seen."""
    def run(**more):
        return Run("registration.rdsco", {"wait": "adaptive", "warmup": 100, **more, **ROCE}, count=500, quick=100)

    kinds = {"untouched memory, in pieces": {}, "untouched memory, by a thread": {"registration-thread": True},
             "touched memory, in one call": {"touched": True}, "touched memory, by a thread": {"touched": True, "registration-thread": True}}
    rows = [Row("", f"1 GiB registered, {kind}: longest round trip with a peer", "ns", (kind, "meanwhile_longest_ns"), (kind, "before_longest_ns"),
                peer_name="before") for kind in kinds]
    return Case("roce_registration", {kind: run(**more) for kind, more in kinds.items()}, tuple(rows), rounds=2, place="adapter")


def all_cases():
    spinning, one_core = {"wait": "spin"}, {"wait": "block", "one-core": True}
    count = {"count": 50_000, "quick": 3_000}
    return (loopback(), loopback_instructions(),
            round_trips("round_trip", "P2", "TCP, 64 B round trip, spinning", spinning, at_most(1.10), **count),
            round_trips("round_trip_blocking", "P3", "TCP, 64 B round trip, blocking, one core", one_core, at_most(1.10), calls_of_a_round_trip, **count),
            adaptive("round_trip_adaptive", "TCP, 64 B round trip, adaptive", 0),
            adaptive("round_trip_silence", "TCP, 64 B round trip, adaptive, after 10 µs", 10),
            one_way(), pipelined(), bulk(), instructions(), memory(), sockets(), fan(), kernel_rds(),
            roce_latency("roce_latency", "soft-RoCE, 64 B round trip, polling", "spin"),
            roce_latency("roce_latency_events", "soft-RoCE, 64 B round trip, by events", "block"),
            roce_datagrams(), roce_writes(), roce_rate(), roce_registration())
