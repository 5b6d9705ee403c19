// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "memory/block_pool.hpp"
#include "node/condition.hpp"

#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/error.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/region.hpp>

#include <cstddef>
#include <cstdint>

namespace rdsco::detail {

struct by_region;      // the offers of a region
struct by_connection;  // those to one peer
struct by_carrier;     // those that their carrier has something to do for

/// What one peer may do with a part of a region. It lives while its handle, a datagram, or its carrier refers to it.
///
/// Open, it can be carried. Then it is over, for a reason; and gone, once the peer cannot use it any more.
class offer_core : public list_hook<by_region>, public list_hook<by_connection>, public list_hook<by_carrier> {
 public:
  /// Null where memory was refused.
  [[nodiscard]] static offer_core* make(block_pool& pool, region_core& of, connection& to, std::size_t offset, std::size_t bytes,
                                        offer_terms const& terms) noexcept;
  void hold() noexcept { ++references_; }
  void let_go() noexcept;

  /// It is over: whoever owns it is told why, and its carrier sees to it that the peer loses access.
  void end(errc why) noexcept;
  /// For its carrier: nobody can use it any more.
  void gone() noexcept;

  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] bool is_gone() const noexcept { return gone_; }
  /// Why it is over.
  [[nodiscard]] errc outcome() const noexcept { return outcome_; }
  [[nodiscard]] condition::waiter until_over() noexcept { return over_.wait(); }
  [[nodiscard]] condition::waiter until_gone() noexcept { return withdrawn_.wait(); }

  [[nodiscard]] region_core& region() const noexcept { return region_; }
  /// The peer; null once its node is gone.
  [[nodiscard]] connection* to() const noexcept { return to_; }
  void detach() noexcept { to_ = nullptr; }
  [[nodiscard]] std::byte* data() const noexcept;

  std::size_t const offset;
  std::size_t const bytes;
  offer_terms const terms;

  // --- for its carrier -------------------------------------------------------------------------------------------
  std::uint32_t key = 0;
  std::uint64_t address = 0;  ///< by which the peer reaches the first byte
  std::uint32_t epoch = 0;    ///< the connection that the key belongs to, where keys do
  bool delivered = false;     ///< a datagram that carried it was acknowledged: the peer knows the key
  bool ends_with_send = false;  ///< the peer is told that the send behind its operation may invalidate the key
  void* held = nullptr;       ///< what the carrier has for it
  std::uint64_t request = 0;  ///< of the adapter, that gives or takes access

 private:
  offer_core(block_pool& pool, region_core& of, connection& peer, std::size_t from, std::size_t count, offer_terms const& on) noexcept;
  ~offer_core() = default;

  block_pool& pool_;
  region_core& region_;
  connection* to_;
  std::uint32_t references_ = 1;
  bool open_ = true;
  bool gone_ = false;
  errc outcome_{};
  condition over_;
  condition withdrawn_;
};

using offers_of_region = intrusive_list<offer_core, by_region>;
using offers_of_connection = intrusive_list<offer_core, by_connection>;
using offers_of_carrier = intrusive_list<offer_core, by_carrier>;

}  // namespace rdsco::detail
