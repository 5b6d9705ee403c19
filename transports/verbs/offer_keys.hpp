// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/connection.hpp"
#include "node/offer_core.hpp"
#include "transports/verbs/send_ring.hpp"
#include "transports/verbs/verbs_region.hpp"

#include <rdsco/transport.hpp>

#include <cstdint>

namespace rdsco::detail {

/// How one connection gives its peer access to memory that is offered, and takes it away. What a device can do decides which.
template <registration How>
class offer_keys;

/// fastreg: a memory window on the connection's queue pair over a region that is registered once. It is valid for that one peer by
/// construction, and dies with the connection. Windows count from zero: a kernel's offset has 32 bits.
template <>
class offer_keys<registration::fastreg> {
 public:
  static constexpr bool count_from_zero = true;

  explicit offer_keys(verbs::api& calls) noexcept : api_(calls) {}

  /// `addresses_chosen`: as the fabric's capability.
  [[nodiscard]] errc open(offer_core&, bool) noexcept { return {}; }
  /// Requests that ready() takes at most, of the send ring.
  static constexpr std::uint32_t requests_max = 1;
  /// The peer can use the offer once it sees what is posted from now on. Otherwise why it cannot, and never will.
  [[nodiscard]] errc ready(offer_core& offered, verbs::device& on, std::uint32_t epoch, send_ring& sends) noexcept;
  /// It is over. `epoch`: of the connection that is up. True: revoke() is to be called, and again whenever requests are done, while there is
  /// anything to revoke.
  [[nodiscard]] bool close(offer_core& over, std::uint32_t epoch) noexcept;
  [[nodiscard]] bool anything_to_revoke() const noexcept { return !to_revoke_.empty(); }
  void revoke(send_ring& sends) noexcept;
  /// The peer's send took its key away.
  void ended_by_peer(connection& by, std::uint32_t key) noexcept;
  /// Without a request. False: one is under way, and only the end of the connection is quicker.
  [[nodiscard]] bool revoke_at_once(offer_core& over, std::uint64_t done) noexcept;
  /// Requests up to and without this number are carried out.
  void completed(std::uint64_t done) noexcept;
  /// This one failed.
  void failed(connection& by, std::uint64_t request) noexcept;
  /// Nothing of the connection is left on the adapter.
  void connection_gone(connection& by) noexcept;
  /// The peer said of earlier connections what had arrived on them.
  void told_of_earlier(connection& by) noexcept;

 private:
  void forget(offer_core& one) noexcept;
  void take_away(offer_core& over) noexcept;

  verbs::api& api_;
  offers_of_carrier to_revoke_;
  offers_of_carrier revoking_;  // in the order of their requests
};

/// fmr: ranges kept registered on the device. Every peer of the device could use their keys; that only the one they were told does is
/// policy: a slot is offered again to the same peer alone until it was flushed.
template <>
class offer_keys<registration::fmr> {
 public:
  static constexpr bool count_from_zero = false;
  static constexpr std::uint32_t requests_max = 0;

  explicit offer_keys(verbs::api&) noexcept {}

  [[nodiscard]] errc open(offer_core& offered, bool addresses_chosen) noexcept;
  [[nodiscard]] errc ready(offer_core&, verbs::device&, std::uint32_t, send_ring&) noexcept { return {}; }
  [[nodiscard]] bool close(offer_core& over, std::uint32_t epoch) noexcept;
  [[nodiscard]] bool anything_to_revoke() const noexcept { return false; }
  void revoke(send_ring&) noexcept {}
  void ended_by_peer(connection&, std::uint32_t) noexcept {}
  [[nodiscard]] bool revoke_at_once(offer_core&, std::uint64_t) noexcept { return true; }
  void completed(std::uint64_t) noexcept {}
  void failed(connection&, std::uint64_t) noexcept {}
  void connection_gone(connection&) noexcept {}
  void told_of_earlier(connection&) noexcept {}
};

}  // namespace rdsco::detail
