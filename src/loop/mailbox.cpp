// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/mailbox.hpp>

#include <utility>

namespace rdsco::detail {

mailbox::~mailbox() {
  collect();
  while (in_order_ != nullptr) {
    mail& message = *std::exchange(in_order_, in_order_->next);
    message.posted.store(false);
    if (message.drop != nullptr) message.drop(message);
  }
}

bool mailbox::post(mail& message) noexcept {
  if (message.posted.exchange(true)) return false;
  mail* newest = newest_.load(std::memory_order_relaxed);
  do {
    message.next = newest;
  } while (!newest_.compare_exchange_weak(newest, &message));
  return true;
}

void mailbox::collect() noexcept {
  mail* newest = newest_.exchange(nullptr);
  mail* oldest_first = nullptr;
  while (newest != nullptr) {
    mail* const older = newest->next;
    newest->next = oldest_first;
    oldest_first = newest;
    newest = older;
  }
  mail** end = &in_order_;
  while (*end != nullptr) end = &(*end)->next;
  *end = oldest_first;
}

std::size_t mailbox::run() noexcept {
  if (empty()) return 0;
  collect();
  // What is posted by the messages themselves waits for the next call, so that this one ends.
  std::size_t count = 0;
  for (mail* each = in_order_; each != nullptr; each = each->next) ++count;
  std::size_t ran = 0;
  for (; ran < count && in_order_ != nullptr; ++ran) {
    mail& message = *in_order_;
    in_order_ = message.next;
    message.posted.store(false);
    message.run(message);
  }
  return ran;
}

void mailbox::withdraw(mail& message) noexcept {
  if (!message.posted.load()) return;
  collect();
  for (mail** link = &in_order_; *link != nullptr; link = &(*link)->next) {
    if (*link != &message) continue;
    *link = message.next;
    message.posted.store(false);
    return;
  }
}

}  // namespace rdsco::detail
