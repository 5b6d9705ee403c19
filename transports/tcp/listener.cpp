// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/listener.hpp"

#include "transports/tcp/tcp_transport.hpp"

#include <rdsco/sleep.hpp>

#include <cerrno>

namespace rdsco::detail {

namespace {
constexpr int backlog = 64;
// Out of descriptors or memory: what is waiting stays in the backlog meanwhile.
constexpr std::chrono::milliseconds pause_after_failure{100};
}  // namespace

listener::listener(tcp_transport& owner, local_host& host) noexcept
    : owner_(owner), host_(host), io_(owner.node.where.io()), signal_(owner.node.where), accepting_(*this) {}

listener::~listener() {
  if (handle_) io_.close(handle_, false);
}

std::error_code listener::open() {
  int const answer = io_.listen(endpoint(host_.at, owner_.node.options.tcp.port), backlog, handle_);
  switch (-answer) {
    case 0: return {};
    case EADDRINUSE: return errc::address_in_use;
    case EADDRNOTAVAIL: return errc::address_not_owned;
    default: return {-answer, std::generic_category()};
  }
}

void listener::stop() noexcept {
  stopping_ = true;
  io_.cancel(accepting_);
  signal_.raise(2);
}

task<> listener::take() {
  if (accepting_.result >= 0) {
    owner_.arrived(host_, accepting_.stream, accepting_.peer.host);
    co_return;
  }
  bool const passing = accepting_.result == -ECONNABORTED || accepting_.result == -EINTR || accepting_.result == -ECANCELED;
  if (passing) co_return;
  static_cast<void>(co_await sleep(pause_after_failure));
}

task<> listener::run() {
  while (!stopping_) {
    io_.accept(handle_, owner_.tuning(), accepting_);
    while (accepting_.in_flight) co_await signal_.next();
    co_await take();
  }
  io_.close(std::exchange(handle_, io_handle()), false);
}

}  // namespace rdsco::detail
