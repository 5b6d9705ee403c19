// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <utility>

namespace rdsco::detail {

/// Something the loop runs once: a coroutine to resume, an actor to wake. Queued at most once at a time.
struct ready_item {
  ready_item* next = nullptr;
  void (*run)(ready_item&) noexcept = nullptr;
  bool queued = false;

  ready_item() noexcept = default;
  explicit ready_item(void (*function)(ready_item&) noexcept) noexcept : run(function) {}
  ready_item(ready_item const&) = delete;
  ready_item& operator=(ready_item const&) = delete;
};

/// First in first out, intrusive, never allocates.
class ready_queue {
 public:
  ready_queue() noexcept = default;
  ready_queue(ready_queue const&) = delete;
  ready_queue& operator=(ready_queue const&) = delete;

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Does nothing when the item is queued already.
  void push_back(ready_item& item) noexcept {
    if (item.queued) return;
    item.queued = true;
    item.next = nullptr;
    *tail_ = &item;
    tail_ = &item.next;
    ++size_;
  }
  [[nodiscard]] ready_item* pop_front() noexcept { return unlink_after(&first_); }
  /// Appends everything that `other` holds, in its order.
  void splice_back(ready_queue& other) noexcept {
    if (other.empty()) return;
    *tail_ = std::exchange(other.first_, nullptr);
    tail_ = std::exchange(other.tail_, &other.first_);
    size_ += std::exchange(other.size_, 0u);
  }
  /// Takes the item at `position` (0 is the oldest) out of its turn.
  [[nodiscard]] ready_item* take(std::size_t position) noexcept {
    ready_item** link = &first_;
    for (; position > 0 && *link != nullptr; --position) link = &(*link)->next;
    return unlink_after(link);
  }

 private:
  ready_item* unlink_after(ready_item** link) noexcept {
    ready_item* const item = *link;
    if (item == nullptr) return nullptr;
    *link = std::exchange(item->next, nullptr);
    if (*link == nullptr) tail_ = link;
    item->queued = false;
    --size_;
    return item;
  }

  ready_item* first_ = nullptr;
  ready_item** tail_ = &first_;
  std::size_t size_ = 0;
};

}  // namespace rdsco::detail
