// SPDX-License-Identifier: BSD-2-Clause
#include "node/region_core.hpp"

#include "node/node_core.hpp"
#include "node/socket_core.hpp"

namespace rdsco::detail {

region_core::region_core(local_host& at, mutable_buffer memory) noexcept : host_(&at), memory_(memory) {}

region_core::~region_core() = default;

void region_core::retire(errc why) noexcept {
  usable_ = false;
  for (auto at = offers.begin(); at != offers.end();) {
    offer_core& one = *at++;
    one.end(why);
  }
}

void region_core::close() noexcept {
  usable_ = false;
  unlink();
  if (!std::exchange(registered_, false)) return;
  deregister();
}

void region_core::force() noexcept {
  if (host_ == nullptr) return;
  host_->node.for_each_connection([this](connection& each) {
    if (&each.host != host_) return;
    each.lane.drop_work_on(*this);
    each.by->let_go_of(*this);
    each.wake_port_waiters();
  });
  // Whoever waits to begin finds out as well.
  host_->ports.for_each([](socket_core& each) { each.retry_senders(); });
}

void region_core::detach() noexcept {
  close();
  host_ = nullptr;
}

}  // namespace rdsco::detail
