// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>

namespace rdsco::detail {

/// The links of one list membership. An object derives from one hook (with a tag of its own) for each list it can be on.
template <class Tag = void>
class list_hook {
 public:
  list_hook() noexcept = default;
  list_hook(list_hook const&) = delete;
  list_hook& operator=(list_hook const&) = delete;

  [[nodiscard]] bool linked() const noexcept { return next != nullptr; }
  /// Leaves whatever list it is on; does nothing when it is on none.
  void unlink() noexcept {
    if (!linked()) return;
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
  void link_before(list_hook& place) noexcept {
    prev = place.prev;
    next = &place;
    prev->next = this;
    place.prev = this;
  }

  list_hook* prev = nullptr;
  list_hook* next = nullptr;

 protected:
  ~list_hook() = default;
};

/// Doubly linked, circular through its own head, so that an element can leave without knowing the list.
/// Lifetime: the elements belong to somebody else; they leave before they die. A list does not move.
template <class T, class Tag = void>
class intrusive_list {
  using hook = list_hook<Tag>;
  struct head_hook : hook {};

 public:
  class iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    iterator() noexcept = default;
    explicit iterator(hook* at) noexcept : at_(at) {}
    T& operator*() const noexcept { return static_cast<T&>(*at_); }
    T* operator->() const noexcept { return static_cast<T*>(at_); }
    iterator& operator++() noexcept { return at_ = at_->next, *this; }
    iterator operator++(int) noexcept { return iterator(std::exchange(at_, at_->next)); }
    iterator& operator--() noexcept { return at_ = at_->prev, *this; }
    iterator operator--(int) noexcept { return iterator(std::exchange(at_, at_->prev)); }
    friend bool operator==(iterator, iterator) noexcept = default;

   private:
    hook* at_ = nullptr;
  };

  intrusive_list() noexcept { head_.prev = head_.next = &head_; }
  intrusive_list(intrusive_list const&) = delete;
  intrusive_list& operator=(intrusive_list const&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
  [[nodiscard]] T& front() noexcept { return *begin(); }
  [[nodiscard]] T& back() noexcept { return *--end(); }
  [[nodiscard]] iterator begin() noexcept { return iterator(head_.next); }
  [[nodiscard]] iterator end() noexcept { return iterator(&head_); }

  void push_back(T& element) noexcept { as_hook(element).link_before(head_); }
  void push_front(T& element) noexcept { as_hook(element).link_before(*head_.next); }
  void insert(iterator before, T& element) noexcept { as_hook(element).link_before(before == end() ? head_ : as_hook(*before)); }
  void remove(T& element) noexcept { as_hook(element).unlink(); }
  /// Unlinks and returns the first element; nullptr when there is none.
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    T& element = front();
    remove(element);
    return &element;
  }
  /// Moves all elements of `other` to the front, in their order.
  void splice_front(intrusive_list& other) noexcept { other.move_before(*head_.next); }
  void splice_back(intrusive_list& other) noexcept { other.move_before(head_); }

 private:
  static hook& as_hook(T& element) noexcept { return element; }
  void move_before(hook& place) noexcept {
    if (empty()) return;
    hook* const first = head_.next;
    hook* const last = head_.prev;
    head_.prev = head_.next = &head_;
    first->prev = place.prev;
    last->next = &place;
    first->prev->next = first;
    place.prev = last;
  }

  head_hook head_;
};

}  // namespace rdsco::detail
