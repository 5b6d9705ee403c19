// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/node.hpp>

#include "node/node_core.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/loop.hpp>

#include <utility>

namespace rdsco {

node::node(std::unique_ptr<detail::node_core> core) noexcept : core_(std::move(core)) {}
node::node() noexcept = default;
node::node(node&&) noexcept = default;

node& node::operator=(node&& other) noexcept {
  node gone(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}

node::~node() {
  if (core_ == nullptr || !core_->open_for_business()) return;
  block_on(core_->where, core_->close(std::chrono::nanoseconds(0)));
}

result<node> node::open(loop& where, node_options const& options) {
  auto core = std::make_unique<detail::node_core>(where, options);
  if (auto const why = core->open()) return why;
  return node(std::move(core));
}

result<socket> node::bind(address const& at, std::uint16_t port, socket_options const& options) {
  if (core_ == nullptr) return errc::closed;
  auto const bound = core_->bind(at, port, options);
  if (bound.ec) return bound.ec;
  return socket(bound.data);
}

namespace {

task<result<std::chrono::nanoseconds>> ping_from(socket& from, loop& where, address const& peer) {
  auto const start = where.now();
  auto const sent = co_await from.send_to(const_buffers(), endpoint(peer, 0));
  if (sent.ec) co_return sent.ec;
  for (;;) {
    auto answer = co_await from.receive();
    if (answer.ec) co_return answer.ec;
    if (answer.data.from() == endpoint(peer, 0)) co_return where.now() - start;
  }
}

}  // namespace

task<result<std::chrono::nanoseconds>> node::ping(address from, address peer) {
  auto bound = bind(from);
  if (bound.ec) co_return bound.ec;
  auto& where = core_->where;
  co_return co_await ping_from(bound.data, where, peer);
}

task<std::size_t> node::close(std::chrono::nanoseconds patience) {
  if (core_ == nullptr) co_return 0;
  co_return co_await core_->close(patience);
}

std::string_view node::transport_of(address const& at) const noexcept {
  if (core_ == nullptr) return {};
  detail::local_host const* const own = core_->host(at);
  return own == nullptr ? std::string_view() : own->by.name();
}

counters const& node::counters() const noexcept { return core_->counted; }
node_tables node::tables() const { return core_->tables(); }
std::string node::to_json() const { return core_->to_json(); }
std::uint64_t node::sequence_mark() const noexcept { return core_->sequence_mark(); }
std::size_t node::memory_in_use() const noexcept { return core_->pool->now().live_bytes; }

}  // namespace rdsco
