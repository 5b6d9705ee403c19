// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/remote_work.hpp>
#include <rdsco/detail/send_state.hpp>

#include <cstdint>
#include <system_error>

namespace rdsco::detail {

/// The part of a remote operation that does not depend on who awaits it: the operation, and the datagram that follows it. It has ended
/// once that datagram was acknowledged, or cannot be any more, and no adapter uses the memory.
class remote_state : public send_state {
 public:
  remote_state(socket_core* from, const_buffers const& then, remote_memory const& peer, std::uint64_t offset, remote_operation what,
               rdma_options const& options) noexcept;
  remote_state(remote_state const&) = delete;
  remote_state& operator=(remote_state const&) = delete;

  void use(region_slice const& local) noexcept {
    one_ = local;
    work_.local = {&one_, 1};
  }
  void use(std::span<region_slice const> local) noexcept { work_.local = local; }
  void operands(std::uint64_t operand, std::uint64_t compare) noexcept {
    work_.operand = operand;
    work_.compare = compare;
  }
  void refuse(errc why) noexcept { refused_ = why; }

  /// True: it has ended, failure() says how.
  bool begin() noexcept;
  /// The awaiting task was stopped. True: it has ended. Otherwise the adapter still uses the memory, and ended() will be called.
  bool give_up() noexcept;
  [[nodiscard]] errc failure() const noexcept { return outcome != errc() && work_.failure != errc() ? work_.failure : outcome; }
  [[nodiscard]] std::uint64_t value() const noexcept { return work_.result; }

  /// Called when one that waited has ended.
  void (*completed)(remote_state&) noexcept = nullptr;

 private:
  static void datagram_ended(send_state& self) noexcept;
  static void memory_free(remote_work& work) noexcept;
  [[nodiscard]] errc check() const noexcept;
  void pin() noexcept;
  void unpin() noexcept;

  struct own_work : remote_work {
    explicit own_work(remote_state& by) noexcept : of(by) {}
    remote_state& of;
  };
  own_work work_;
  region_slice one_;
  accompaniment along_;
  rdma_options options_;
  errc refused_{};
  bool pinned_ = false;
  bool datagram_over_ = false;
};

}  // namespace rdsco::detail
