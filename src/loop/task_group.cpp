// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/task_group.hpp>

namespace rdsco {

task_group::~task_group() {
  RDSCO_CHECK(size_ == 0, "a task_group was destroyed with tasks still running: co_await join() first");
  RDSCO_CHECK(!error_, "a task_group was destroyed with an exception that nobody saw: co_await join() first");
}

void task_group::spawn(task<> work) { add(run(std::move(work))); }

detail::branch task_group::run(task<> work) { co_await std::move(work); }

void task_group::add(detail::branch work) noexcept {
  ++size_;
  where_.make_ready(work.start(*this, detail::environment(&where_, &scope_)));
}

void task_group::branch_ended(std::exception_ptr error) noexcept {
  if (error) {
    if (!error_) error_ = std::move(error);
    scope_.request_stop();
  }
  if (--size_ == 0 && joining_ != nullptr) std::exchange(joining_, nullptr)->complete();
}

}  // namespace rdsco
