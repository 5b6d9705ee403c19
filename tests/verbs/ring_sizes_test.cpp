// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: rings that an adapter refuses, a queue too short for the completions of both, rings so small that nothing moves.
// Forced by: every small limit with every small wish, and traffic over adapters that can hardly do anything.

#include "transports/verbs/ring_sizes.hpp"
#include "verbs/faulty_exchange.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;
using detail::ring_sizes;

ibv_device_attr adapter(int requests, int completions) {
  ibv_device_attr made{};
  made.max_qp_wr = requests;
  made.max_cqe = completions;
  return made;
}
verbs_options wanting(std::uint32_t receives, std::uint32_t sends) {
  verbs_options made = quick();
  made.receives = receives;
  made.sends = sends;
  return made;
}

template <class Transport>
void carries_traffic(int requests, int completions) {
  two_on<Transport> w(quick(), {}, [&](fake_fabric& on) {
    on.attributes.max_qp_wr = requests;
    on.attributes.max_cqe = completions;
  });
  exchange(w, 24);
  CHECK(w.near.counters().conn_reset == 0);
}

}  // namespace

TEST_CASE("what an adapter can do is not changed") {
  CHECK(ring_sizes::of(wanting(256, 128), 1, adapter(16384, 32768)) == ring_sizes{256, 128});
  CHECK(ring_sizes::of(wanting(256, 128), 1, adapter(256, 384)) == ring_sizes{256, 128});
}

TEST_CASE("what it cannot do is cut down to what it can") {
  CHECK(ring_sizes::of(wanting(256, 128), 1, adapter(100, 32768)) == ring_sizes{100, 100});
  CHECK(ring_sizes::of(wanting(256, 128), 1, adapter(16384, 96)) == ring_sizes{64, 32});
  CHECK(ring_sizes::of(wanting(256, 128), 1, adapter(100, 50)) == ring_sizes{25, 25});
  CHECK(ring_sizes::of(wanting(~0u, ~0u), 1, adapter(1 << 30, 1 << 30)) == ring_sizes{1u << 29, 1u << 29});
}

TEST_CASE("a wish with which nothing could move is raised") {
  CHECK(ring_sizes::of(wanting(0, 0), 1, adapter(100, 100)) == ring_sizes{1, 3});
  CHECK(ring_sizes::of(wanting(0, 0), 4, adapter(100, 100)) == ring_sizes{4, 3});
}

TEST_CASE("every small limit: never above it, never below the least, and nothing only where there is no way") {
  for (std::uint32_t const least : {1u, 4u}) {
    for (int requests = 0; requests < 12; ++requests) {
      for (int completions = 0; completions < 24; ++completions) {
        for (std::uint32_t receives = 0; receives < 14; ++receives) {
          for (std::uint32_t sends = 0; sends < 14; ++sends) {
            auto const made = ring_sizes::of(wanting(receives, sends), least, adapter(requests, completions));
            bool const possible = requests >= 3 && requests >= static_cast<int>(least) && completions >= static_cast<int>(least) + 3;
            REQUIRE(made.has_value() == possible);
            if (!made) continue;
            REQUIRE(made->receives >= least);
            REQUIRE(made->sends >= ring_sizes::sends_min);
            REQUIRE(std::max(made->receives, made->sends) <= static_cast<std::uint32_t>(requests));
            REQUIRE(made->receives + made->sends <= static_cast<std::uint32_t>(completions));
          }
        }
      }
    }
  }
}

TEST_CASE("adapters that can hardly do anything carry traffic all the same") {
  carries_traffic<fake_ib>(3, 4);
  carries_traffic<fake_ib>(16384, 20);
  carries_traffic<fake_ib>(10, 32768);
  carries_traffic<fake_iwarp>(4, 7);
  carries_traffic<fake_iwarp>(16384, 20);
}

TEST_CASE("wishes that are too small are raised") {
  two_on<fake_ib> w(wanting(0, 0));
  exchange(w, 8);
}
