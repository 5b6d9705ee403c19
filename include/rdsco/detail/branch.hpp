// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/promise.hpp>
#include <rdsco/detail/ready.hpp>

#include <coroutine>
#include <exception>
#include <utility>

namespace rdsco::detail {

/// Whoever started a branch and hears of its end.
class branch_owner {
 public:
  branch_owner(branch_owner const&) = delete;
  branch_owner& operator=(branch_owner const&) = delete;

 protected:
  branch_owner() noexcept = default;
  ~branch_owner() = default;

 private:
  friend class branch;
  virtual void branch_ended(std::exception_ptr error) noexcept = 0;
};

/// The root of a chain of coroutines that runs beside its maker. It is started through the ready queue, and its frame goes
/// away by itself when it ends. Until it is started, the handle owns it.
class [[nodiscard]] branch {
 public:
  class promise_type : public promise_base, public ready_item {
   public:
    promise_type() noexcept : ready_item(&resume) {}
    branch get_return_object() noexcept { return branch(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    // The frame must not be destroyed from an await_suspend(), which some compilers get wrong; a coroutine that does not
    // suspend at its end destroys itself. Its owner goes on in a later ready item, when the frame is gone.
    std::suspend_never final_suspend() noexcept {
      owner_->branch_ended(std::move(error_));
      return {};
    }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { error_ = std::current_exception(); }

   private:
    friend branch;
    static void resume(ready_item& self) noexcept {
      std::coroutine_handle<promise_type>::from_promise(static_cast<promise_type&>(self)).resume();
    }
    branch_owner* owner_ = nullptr;
    std::exception_ptr error_;
  };

  branch() noexcept = default;
  branch(branch&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  branch& operator=(branch&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~branch() {
    if (frame_) frame_.destroy();
  }

  /// Gives the branch away: it runs when the returned item does.
  [[nodiscard]] ready_item& start(branch_owner& owner, environment const& around) noexcept {
    promise_type& promise = std::exchange(frame_, nullptr).promise();
    promise.owner_ = &owner;
    promise.set_environment(around);
    return promise;
  }

 private:
  explicit branch(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

}  // namespace rdsco::detail
