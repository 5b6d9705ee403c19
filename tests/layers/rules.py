# SPDX-License-Identifier: BSD-2-Clause
"""Who may include whom: the data that layers.py checks. A change here is a change of the architecture."""

# Public headers (below include/rdsco/) by the group they belong to; one not named here belongs to `runtime`.
PUBLIC_GROUPS = {
    "values": {
        "error.hpp", "notification.hpp", "result.hpp", "buffer.hpp", "endpoint.hpp", "version.hpp", "fwd.hpp",
        "detail/intrusive_list.hpp", "detail/check.hpp",
    },
    "node": {
        "node.hpp", "basic_socket.hpp", "node_options.hpp", "socket.hpp", "socket_options.hpp", "message.hpp", "congestion.hpp", "counters.hpp",
        "stats_server.hpp", "tables.hpp", "region.hpp", "remote_memory.hpp", "remote_awaiter.hpp", "transport.hpp", "rdsco.hpp",
        "detail/remote_state.hpp", "detail/remote_work.hpp", "detail/send_state.hpp", "detail/send_waiter.hpp", "detail/receive_waiter.hpp",
    },
}
PUBLIC_GROUP_OF_DIRECTORY = {"asio": "asio", "sim": "sim", "verbs": "verbs_api"}
PUBLIC_GROUP_DEFAULT = "runtime"

ALL_PUBLIC = {"values", "runtime", "node", "asio", "sim", "verbs_api"}

# A group may include headers of itself and of these. Groups of private headers are named after their directory.
MAY_INCLUDE = {
    # public headers
    "values": set(),
    "runtime": {"values"},
    "node": {"values", "runtime"},
    "verbs_api": {"values", "runtime", "node"},
    "asio": {"values", "runtime", "node"},
    "sim": {"values", "runtime", "node"},
    # private rooms
    "src": {"values", "runtime"},
    "src/protocol": {"values"},
    "src/values": {"values"},
    "src/loop": {"values", "runtime"},
    "src/memory": {"values", "runtime", "node"},
    "src/node": {"values", "runtime", "node", "src/protocol", "src/loop", "src/memory"},
    "src/verbs": {"values", "runtime", "src/loop"},
    "transports/loopback": {"values", "runtime", "node", "src/node", "src/protocol", "src/memory"},
    "transports/tcp": {"values", "runtime", "node", "src/node", "src/protocol", "src/memory"},
    "transports/verbs": {"values", "runtime", "node", "verbs_api", "src/node", "src/protocol", "src/memory", "src/verbs"},
    "transports/ib": {"values", "runtime", "node", "verbs_api", "src/node", "src/protocol", "src/memory", "src/verbs",
                      "transports/verbs"},
    "transports/iwarp": {"values", "runtime", "node", "verbs_api", "src/node", "src/protocol", "src/memory", "src/verbs",
                         "transports/verbs"},
    # The simulated world stands in for what is below production code, and runs production code.
    "src/sim": ALL_PUBLIC | {"src/protocol", "src/loop", "src/memory", "src/node", "src/verbs", "transports/loopback",
                             "transports/tcp", "transports/verbs", "transports/ib", "transports/iwarp"},
    # Samples show what users write: public headers, nothing else.
    "samples": ALL_PUBLIC,
}
# These may include everything.
UNCHECKED = {"tests", "tools", "bench"}

# Libraries that are used inside, and who may include their headers (prefixes of paths).
FOREIGN = {
    r"^(liburing(\.h|/)|linux/io_uring\.h)": ("src/loop/", "tests/", "bench/"),
    r"^nlohmann/": ("src/", "tools/", "tests/", "bench/"),
    r"^(infiniband|rdma)/": ("src/verbs/", "transports/verbs/", "transports/ib/", "transports/iwarp/", "tests/", "bench/"),
    r"^(asio\.hpp|asio/|boost/)": ("include/rdsco/asio/", "samples/", "tests/", "bench/"),
    r"^(CLI/|fmt/)": ("tools/", "samples/", "tests/", "bench/"),
    r"^catch2/": ("tests/",),
}

# The protocol is pure: no descriptor, clock, random number, thread or output of its own.
STANDARD_FORBIDDEN = {
    "src/protocol/": r"^(random|thread|mutex|atomic|condition_variable|future|iostream|fstream|ctime|time\.h|unistd\.h|sys/.*|netinet/.*"
                     r"|arpa/.*|coroutine)$",
}
