// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/detail/remote_state.hpp>
#include <rdsco/result.hpp>

#include <coroutine>
#include <cstdint>
#include <span>

namespace rdsco {

/// A remote operation and the datagram that follows it. It stays, cancelled or not, until no adapter uses its memory.
class remote_awaiter : public detail::leaf_operation<remote_awaiter>, private detail::remote_state {
 public:
  remote_awaiter(detail::socket_core* from, region_slice const& local, remote_memory const& peer, std::uint64_t offset,
                 const_buffers const& then, detail::remote_operation what, rdma_options const& options) noexcept
      : remote_awaiter(from, peer, offset, then, what, options) {
    use(local);
  }
  remote_awaiter(detail::socket_core* from, std::span<region_slice const> local, remote_memory const& peer, std::uint64_t offset,
                 const_buffers const& then, detail::remote_operation what, rdma_options const& options) noexcept
      : remote_awaiter(from, peer, offset, then, what, options) {
    use(local);
  }

  bool await_ready() noexcept { return begin(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    if (suspend_regardless_in(waiting, detail::loop_of(*from_))) return true;
    if (!give_up()) return true;
    unsuspend();
    return false;
  }
  result<> await_resume() const noexcept {
    if (failure() == errc()) [[likely]] return {};
    return failure();
  }

 protected:
  remote_awaiter(detail::socket_core* from, remote_memory const& peer, std::uint64_t offset, const_buffers const& then,
                 detail::remote_operation what, rdma_options const& options) noexcept
      : remote_state(from, then, peer, offset, what, options), from_(from) {
    completed = &resume;
  }
  using remote_state::failure;
  using remote_state::operands;
  using remote_state::refuse;
  using remote_state::value;

 private:
  friend detail::leaf_operation<remote_awaiter>;
  void on_stop() noexcept {
    if (give_up()) complete();
  }
  static void resume(detail::remote_state& self) noexcept { static_cast<remote_awaiter&>(self).complete(); }

  detail::socket_core* from_;
};

/// An atomic operation: what the eight bytes were before it.
class atomic_awaiter : public remote_awaiter {
 public:
  atomic_awaiter(detail::socket_core* from, remote_memory const& peer, std::uint64_t offset, const_buffers const& then,
                 detail::remote_operation what, std::uint64_t operand, std::uint64_t compare, rdma_options const& options) noexcept
      : remote_awaiter(from, peer, offset, then, what, options) {
    operands(operand, compare);
  }
  /// One that nobody can carry out.
  atomic_awaiter(detail::socket_core* from, errc why) noexcept
      : remote_awaiter(from, remote_memory(), 0, const_buffers(), detail::remote_operation::fetch_add, rdma_options()) {
    refuse(why);
  }
  result<std::uint64_t> await_resume() const noexcept {
    if (failure() == errc()) [[likely]] return value();
    return failure();
  }
};

}  // namespace rdsco
