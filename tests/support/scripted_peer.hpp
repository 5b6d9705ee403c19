// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/scripted_stream.hpp"

#include <rdsco/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace rdsco::test {

/// A peer of RDS over TCP that a test writes line by line: it listens on one address, connects from it, and shows what arrived.
class scripted_peer {
 public:
  /// Listens at `host` on the TCP port of the test. Throws std::system_error.
  scripted_peer(address const& host, address const& node, std::uint16_t port);
  scripted_peer(scripted_peer const&) = delete;
  scripted_peer& operator=(scripted_peer const&) = delete;
  virtual ~scripted_peer();

  /// Opens a connection to the node, from this peer's address or from another one.
  scripted_stream& connect();
  scripted_stream& connect_from(address const& host);
  /// Takes what the node opened, reads and writes. Never waits.
  virtual void pump();
  void stop_listening() noexcept;

  /// The last stream that the smaller address opened: the only kind that carries data. Null before the first.
  [[nodiscard]] scripted_stream* last() noexcept;
  [[nodiscard]] std::size_t accepted() const noexcept;

  /// Asked for each accepted stream before anything is read from it.
  std::function<void(scripted_stream&)> on_accept;
  std::optional<int> receive_buffer;  ///< of every socket made from here on
  std::vector<std::unique_ptr<scripted_stream>> streams;
  [[nodiscard]] int listener() const noexcept { return listener_; }

 private:
  void accept_all();

  address host_, node_;
  std::uint16_t port_;
  int listener_ = -1;
};

/// What may differ between kernels.
struct kernel_habits {
  bool announces_map = true;
  bool probes = true;         ///< kernels before 4.9 do not
  bool answers_pings = true;  ///< net.rds.ping_enable

  kernel_habits() = default;
};

/// A Linux kernel with rds_tcp, as far as the wire shows it: a map first, a probe of eight paths from the side that accepted, pongs
/// for pings, numbers from 1, its rule for old numbers, no h_ack, no flag but RETRANSMITTED.
class kernel_peer : public scripted_peer {
 public:
  kernel_peer(address const& host, address const& node, std::uint16_t port, kernel_habits told = {})
      : scripted_peer(host, node, port), habits(told) {}

  void pump() override;
  /// Sends on the last stream, with the next number.
  void send(std::uint16_t from_port, std::uint16_t to_port, std::span<std::byte const> payload, std::uint8_t flags = 0);
  /// The module was loaded again: it counts from 1 and expects anything.
  void restart() noexcept {
    next_sent = 1;
    next_received = 0;
    paths_known_ = false;
  }

  kernel_habits habits;
  std::uint64_t next_sent = 1;
  std::uint64_t next_received = 0;
  std::vector<frame> delivered;        ///< datagrams that its RDS layer took, in order
  std::vector<frame> pings;            ///< that it received, the probe included
  std::vector<frame> pongs;
  std::vector<std::vector<std::byte>> maps;
  std::size_t duplicates = 0;

 private:
  void greet(scripted_stream& stream);
  void take(scripted_stream& stream, frame const& one);
  void answer(scripted_stream& stream, frame const& ping);

  bool paths_known_ = false;
  std::size_t greeted_ = 0;
  std::vector<std::size_t> seen_;  // frames of each stream that were taken
};

}  // namespace rdsco::test
