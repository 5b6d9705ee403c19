// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/condition.hpp"
#include "node/offer_core.hpp"

#include <rdsco/buffer.hpp>
#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/fwd.hpp>

#include <cstddef>
#include <cstdint>

namespace rdsco::detail {

struct by_node;

/// Registered memory. It lives while its handle, an offer, or an operation refers to it; registered it is until close().
///
/// A transport whose adapter has to know of memory derives from it; by itself it is memory that is reached by copying.
class region_core : public list_hook<by_node> {
 public:
  region_core(local_host& at, mutable_buffer memory) noexcept;
  region_core(region_core const&) = delete;
  region_core& operator=(region_core const&) = delete;
  virtual ~region_core();

  void hold() noexcept { ++references_; }
  void let_go() noexcept {
    if (--references_ == 0) delete this;
  }
  /// An operation uses the memory, or a peer may.
  void pin() noexcept {
    hold();
    ++pins_;
  }
  void unpin() noexcept {
    if (--pins_ == 0) unpinned_.came_true();
    let_go();
  }
  [[nodiscard]] bool pinned() const noexcept { return pins_ != 0; }
  [[nodiscard]] condition::waiter until_unpinned() noexcept { return unpinned_.wait(); }

  /// Every offer of it is over, and nobody can make another.
  void retire(errc why) noexcept;
  /// Nobody uses it: the adapter forgets it.
  void close() noexcept;
  /// The memory is to be let go of at once, whatever becomes of the connections that use it.
  void force() noexcept;
  /// The node is gone.
  void detach() noexcept;

  [[nodiscard]] bool usable() const noexcept { return usable_; }
  [[nodiscard]] mutable_buffer memory() const noexcept { return memory_; }
  [[nodiscard]] bool contains(std::size_t offset, std::size_t bytes) const noexcept {
    return offset <= memory_.size() && bytes <= memory_.size() - offset;
  }
  /// Where it was registered; null once the node is gone.
  [[nodiscard]] local_host* host() const noexcept { return host_; }
  [[nodiscard]] std::uint8_t type_of_service() const noexcept { return type_of_service_; }
  void set_type_of_service(std::uint8_t value) noexcept { type_of_service_ = value; }

  offers_of_region offers;

 protected:
  /// Tells the adapter to forget the memory. Called once.
  virtual void deregister() noexcept {}

 private:
  local_host* host_;
  mutable_buffer const memory_;
  std::uint8_t type_of_service_ = 0;
  std::uint32_t references_ = 1;
  std::size_t pins_ = 0;
  condition unpinned_;
  bool usable_ = true;
  bool registered_ = true;
};

}  // namespace rdsco::detail
