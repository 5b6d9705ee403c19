// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/region.hpp>

#include "node/node_core.hpp"
#include "node/offer_core.hpp"
#include "node/region_core.hpp"

#include <utility>

namespace rdsco {

memory_offer::memory_offer(memory_offer&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

memory_offer& memory_offer::operator=(memory_offer&& other) noexcept {
  memory_offer gone(std::move(*this));
  core_ = std::exchange(other.core_, nullptr);
  return *this;
}

memory_offer::~memory_offer() {
  if (core_ == nullptr) return;
  core_->end(errc::withdrawn);
  core_->let_go();
}

bool memory_offer::usable() const noexcept { return core_ != nullptr && core_->open(); }

address memory_offer::peer() const noexcept {
  return core_ == nullptr || core_->to() == nullptr ? address() : core_->to()->key.peer;
}

std::size_t memory_offer::size() const noexcept { return core_ == nullptr ? 0 : core_->bytes; }

namespace {

// Whoever waits may outlive the handle.
template <class Core>
class held {
 public:
  explicit held(Core& core) noexcept : core_(core) { core_.hold(); }
  held(held const&) = delete;
  held& operator=(held const&) = delete;
  ~held() { core_.let_go(); }

 private:
  Core& core_;
};

result<> outcome_of(detail::offer_core const& one) noexcept {
  if (one.outcome() == errc()) return {};
  return one.outcome();
}

}  // namespace

task<result<>> memory_offer::over() {
  if (core_ == nullptr) co_return errc::stale_offer;
  detail::offer_core& core = *core_;
  held<detail::offer_core> const kept(core);
  if (core.open()) {
    auto const waited = co_await core.until_over();
    if (waited.ec) co_return waited.ec;
  }
  co_return outcome_of(core);
}

task<result<>> memory_offer::withdraw() {
  if (core_ == nullptr) co_return errc::stale_offer;
  detail::offer_core& core = *core_;
  held<detail::offer_core> const kept(core);
  core.end(errc::withdrawn);
  if (!core.is_gone()) {
    auto const waited = co_await core.until_gone();
    if (waited.ec) co_return waited.ec;
  }
  co_return result<>();
}

region::region(region&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

region& region::operator=(region&& other) noexcept {
  region gone(std::move(*this));
  core_ = std::exchange(other.core_, nullptr);
  return *this;
}

region::~region() {
  if (core_ == nullptr) return;
  core_->retire(errc::withdrawn);
  if (core_->pinned()) core_->force();
  core_->close();
  core_->let_go();
}

std::size_t region::size() const noexcept { return core_ == nullptr ? 0 : core_->memory().size(); }

bool region::usable() const noexcept { return core_ != nullptr && core_->usable(); }

region_slice region::slice(std::size_t offset, std::size_t bytes) const noexcept {
  RDSCO_CHECK(core_ != nullptr && core_->contains(offset, bytes), "a slice that does not lie within its region");
  return region_slice(core_, core_->memory().subspan(offset, bytes));
}

task<result<memory_offer>> region::offer(address peer, std::size_t offset, std::size_t bytes, offer_terms terms) {
  if (core_ == nullptr || !core_->usable() || core_->host() == nullptr) co_return errc::not_registered;
  if (bytes == 0 || !core_->contains(offset, bytes)) co_return errc::invalid_range;
  detail::local_host& host = *core_->host();
  if (permits(terms.may, access::atomic) && !host.capabilities.atomics) co_return errc::not_supported;
  auto const found = host.node.connect_to(host, peer, core_->type_of_service());
  if (found.ec) co_return found.ec;
  auto* const made = detail::offer_core::make(*host.node.pool, *core_, *found.data, offset, bytes, terms);
  if (made == nullptr) co_return errc::out_of_memory;
  memory_offer handle(made);
  if (auto const why = found.data->by->open_offer(*made); why != errc()) {
    made->end(why);
    co_return why;
  }
  co_return handle;
}

task<result<>> region::close(bool forced) {
  if (core_ == nullptr) co_return result<>();
  detail::region_core& core = *core_;
  held<detail::region_core> const kept(core);
  core.retire(errc::withdrawn);
  if (forced && core.pinned()) core.force();
  if (core.pinned()) {
    auto const waited = co_await core.until_unpinned();
    if (waited.ec) co_return waited.ec;
  }
  core.close();
  // Another close may have been quicker.
  if (core_ == &core) std::exchange(core_, nullptr)->let_go();
  co_return result<>();
}

}  // namespace rdsco
