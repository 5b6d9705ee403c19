// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/detail/mailbox.hpp>
#include <rdsco/loop.hpp>

#include <coroutine>
#include <cstddef>
#include <span>
#include <thread>

namespace rdsco::verbs {

/// register_memory(), called by a thread of its own while the loop goes on.
/// Completes when the thread has ended: 0 or -errno; -EAGAIN where no thread could be had.
/// Cancellation: none. Nobody can take the call back, and the adapter may have the memory already.
class registration_thread : public detail::leaf_operation<registration_thread>, private detail::mail {
 public:
  registration_thread(api& calls, loop& where, ibv_pd* domain, std::span<std::byte> memory, int access) noexcept
      : mail(&done), api_(calls), loop_(where), domain_(domain), memory_(memory), access_(access) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    static_cast<void>(suspend_regardless_in(waiting, loop_));
    if (begin()) return true;
    unsuspend();
    return false;
  }
  [[nodiscard]] int await_resume() const noexcept { return answer_; }
  /// Null where it failed.
  [[nodiscard]] ibv_mr* made() const noexcept { return made_; }

 private:
  friend detail::leaf_operation<registration_thread>;
  void on_stop() noexcept {}
  [[nodiscard]] bool begin() noexcept;
  void call() noexcept;
  static void done(detail::mail& self) noexcept;

  api& api_;
  loop& loop_;
  ibv_pd* const domain_;
  std::span<std::byte> const memory_;
  int const access_;
  std::thread thread_;
  ibv_mr* made_ = nullptr;
  int answer_ = 0;
};

}  // namespace rdsco::verbs
