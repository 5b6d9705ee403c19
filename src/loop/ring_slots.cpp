// SPDX-License-Identifier: BSD-2-Clause
#include "loop/ring_slots.hpp"

#include <rdsco/detail/check.hpp>

namespace rdsco::detail {

ring_slot& ring_slots::acquire(io_operation& operation, slot_kind kind, int descriptor) noexcept {
  RDSCO_CHECK(!operation.in_flight, "an operation was started twice");
  std::uint32_t index = first_free_;
  if (index == none) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    first_free_ = slots_[index].next_free;
  }
  ring_slot& slot = slots_[index];
  slot.operation = &operation;
  slot.kind = kind;
  slot.descriptor = descriptor;
  slot.cancel_requested = false;
  operation.in_flight = true;
  operation.result = 0;
  operation.slot.index = index;
  operation.slot.generation = slot.generation;
  ++in_use_;
  return slot;
}

void ring_slots::release(ring_slot& slot) noexcept {
  std::uint32_t const index = slot.operation->slot.index;
  slot.operation->in_flight = false;
  slot.operation = nullptr;
  slot.state = slot_state::free;
  ++slot.generation;
  slot.next_free = first_free_;
  first_free_ = index;
  --in_use_;
}

ring_slot* ring_slots::find(std::uint32_t index, std::uint32_t generation) noexcept {
  if (index >= slots_.size()) return nullptr;
  ring_slot& slot = slots_[index];
  return slot.operation != nullptr && slot.generation == generation ? &slot : nullptr;
}

}  // namespace rdsco::detail
