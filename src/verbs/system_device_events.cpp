// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/system_device_events.hpp"

#include "verbs/event_status.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace rdsco::verbs {

namespace {

struct subscription final : device_events {
  ibv_context* device = nullptr;
  int woken = -1;  // an eventfd: somebody else found something
  int both = -1;   // an epoll: that, or the adapter's queue
  std::deque<device_event> waiting;

  subscription() = default;
  subscription(subscription const&) = delete;
  subscription& operator=(subscription const&) = delete;
  ~subscription() {
    if (both >= 0) ::close(both);
    if (woken >= 0) ::close(woken);
  }

  [[nodiscard]] bool watches(int descriptor) const noexcept {
    epoll_event what{};
    what.events = EPOLLIN;
    return ::epoll_ctl(both, EPOLL_CTL_ADD, descriptor, &what) == 0;
  }
  [[nodiscard]] int open(ibv_context* of) noexcept {
    device = of;
    int const flags = ::fcntl(of->async_fd, F_GETFL);
    if (flags < 0 || ::fcntl(of->async_fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
    woken = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    both = ::epoll_create1(EPOLL_CLOEXEC);
    return woken < 0 || both < 0 || !watches(woken) || !watches(of->async_fd) ? -errno : 0;
  }
};

struct all_subscriptions {
  std::mutex mutex;
  std::vector<subscription*> list;
};
all_subscriptions& all() {
  static all_subscriptions only;
  return only;
}

// The pair and the queue exist until the event is acknowledged.
device_event copy_of(ibv_async_event const& from) noexcept {
  device_event made;
  made.what = kind_of(from.event_type);
  made.type = from.event_type;
  if (made.what == device_event::kind::pair_failed || made.what == device_event::kind::peer_heard) {
    made.pair = from.element.qp;
    made.pair_number = from.element.qp->qp_num;
  }
  if (made.what == device_event::kind::queue_failed) made.queue = from.element.cq;
  return made;
}

// An event for which there is no memory is lost: what it says of a connection is said by completions, too, if later.
void hand_out(ibv_context* from, device_event const& what, subscription const& taker, std::vector<subscription*> const& to) noexcept {
  for (subscription* const each : to) {
    if (each->device != from) continue;
    try {
      each->waiting.push_back(what);
    } catch (std::bad_alloc const&) {
      continue;
    }
    if (each != &taker) static_cast<void>(::eventfd_write(each->woken, 1));
  }
}

}  // namespace

int subscribe(ibv_context* device, device_events*& out) noexcept {
  try {
    auto made = std::make_unique<subscription>();
    if (int const failed = made->open(device)) return failed;
    std::lock_guard const locked(all().mutex);
    all().list.push_back(made.get());
    out = made.release();
    return 0;
  } catch (std::bad_alloc const&) {
    return -ENOMEM;
  }
}

void unsubscribe(device_events* events) noexcept {
  std::unique_ptr<subscription> const ending(static_cast<subscription*>(events));
  std::lock_guard const locked(all().mutex);
  std::erase(all().list, ending.get());
}

int descriptor_of(device_events* events) noexcept { return static_cast<subscription*>(events)->both; }

int next_of(device_events* events, device_event& out) noexcept {
  auto& own = *static_cast<subscription*>(events);
  std::lock_guard const locked(all().mutex);
  ibv_async_event native{};
  while (own.waiting.empty() && ::ibv_get_async_event(own.device, &native) == 0) {
    device_event const found = copy_of(native);
    ::ibv_ack_async_event(&native);
    hand_out(own.device, found, own, all().list);
  }
  if (own.waiting.empty()) {
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(own.woken, &count));
    return -EAGAIN;
  }
  out = own.waiting.front();
  own.waiting.pop_front();
  return 0;
}

}  // namespace rdsco::verbs
