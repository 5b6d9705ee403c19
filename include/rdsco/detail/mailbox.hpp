// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <atomic>
#include <cstddef>

namespace rdsco::detail {

/// One message from any thread to a loop. Posting it again before it ran does nothing.
/// Lifetime: until it ran or was withdrawn; run() may destroy it.
struct mail {
  mail* next = nullptr;
  void (*run)(mail&) noexcept = nullptr;
  void (*drop)(mail&) noexcept = nullptr;  ///< the loop died first; nullptr: nothing to do
  std::atomic<bool> posted{false};

  explicit mail(void (*function)(mail&) noexcept, void (*dropped)(mail&) noexcept = nullptr) noexcept
      : run(function), drop(dropped) {}
  mail(mail const&) = delete;
  mail& operator=(mail const&) = delete;
};

/// Many writers, one reader; first in first out for each writer.
class mailbox {
 public:
  mailbox() noexcept = default;
  mailbox(mailbox const&) = delete;
  mailbox& operator=(mailbox const&) = delete;
  ~mailbox();

  /// Any thread. False when the mail was posted already.
  bool post(mail& message) noexcept;
  [[nodiscard]] bool empty() const noexcept { return in_order_ == nullptr && newest_.load() == nullptr; }
  /// Takes everything posted so far and runs it. Returns how many ran. Threads: the reader's.
  std::size_t run() noexcept;
  /// Takes a posted mail back. Threads: the reader's, and nobody posts it meanwhile.
  void withdraw(mail& message) noexcept;

 private:
  void collect() noexcept;

  std::atomic<mail*> newest_{nullptr};  // a stack of what writers posted
  mail* in_order_ = nullptr;            // what the reader took from it, oldest first
};

}  // namespace rdsco::detail
