// SPDX-License-Identifier: BSD-2-Clause
#include "node/offer_core.hpp"

#include "node/carrier.hpp"
#include "node/connection.hpp"
#include "node/region_core.hpp"

#include <new>

namespace rdsco::detail {

offer_core::offer_core(block_pool& pool, region_core& of, connection& peer, std::size_t from, std::size_t count,
                       offer_terms const& on) noexcept
    : offset(from), bytes(count), terms(on), pool_(pool), region_(of), to_(&peer) {}

offer_core* offer_core::make(block_pool& pool, region_core& of, connection& to, std::size_t offset, std::size_t bytes,
                             offer_terms const& terms) noexcept {
  void* const memory = pool.allocate(sizeof(offer_core));
  if (memory == nullptr) return nullptr;
  auto* const made = ::new (memory) offer_core(pool, of, to, offset, bytes, terms);
  of.pin();
  of.offers.push_back(*made);
  to.offers.push_back(*made);
  made->hold();  // its carrier's
  return made;
}

void offer_core::let_go() noexcept {
  if (--references_ != 0) return;
  block_pool& pool = pool_;
  this->~offer_core();
  pool.release(this);
}

std::byte* offer_core::data() const noexcept { return region_.memory().data() + offset; }

void offer_core::end(errc why) noexcept {
  if (!open_) return;
  open_ = false;
  outcome_ = why;
  hold();
  over_.came_true();
  to_->by->close_offer(*this);
  let_go();
}

void offer_core::gone() noexcept {
  if (gone_) return;
  gone_ = true;
  static_cast<list_hook<by_region>&>(*this).unlink();
  static_cast<list_hook<by_connection>&>(*this).unlink();
  withdrawn_.came_true();
  region_core& of = region_;
  let_go();
  of.unpin();
}

}  // namespace rdsco::detail
