// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

/// Datagrams that prove where they belong, and the account of those that arrived. Shared by the programs at both ends of the wire.
namespace rdsco::kernel_lab {

/// A datagram of this size or more begins with its flow and its index, 8 bytes each, little-endian.
inline constexpr std::size_t identity_bytes = 16;

/// The sizes of a flow's datagrams, repeated: datagram i has sizes[i % sizes.size()] bytes. Both ends know it.
struct size_schedule {
  std::vector<std::size_t> sizes{4096};

  [[nodiscard]] std::size_t size_of(std::uint64_t index) const { return sizes[index % sizes.size()]; }
  [[nodiscard]] std::size_t largest() const { return *std::max_element(sizes.begin(), sizes.end()); }
};

struct datagram_identity {
  std::uint64_t flow = 0;
  std::uint64_t index = 0;
};

namespace detail {

/// The eight bytes at `offset` (a multiple of 8) of a datagram.
inline std::uint64_t content_word(datagram_identity id, std::size_t offset) {
  // The finaliser of splitmix64: any two datagrams differ within their first bytes, which a running counter would not give.
  auto word = id.flow * 0x9e3779b97f4a7c15U + id.index * 0xd1342543de82ef95U + offset;
  word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
  word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
  return word ^ (word >> 31U);
}

/// Calls visit(offset, bytes) with the expected content in pieces of up to 8 bytes until it answers false.
template <typename Visit>
void for_each_piece(std::size_t size, datagram_identity id, Visit visit) {
  auto const whole = id;
  if (size < identity_bytes) {
    id.flow = 0;  // a receiver cannot learn the flow from so few bytes
  }
  for (std::size_t offset = 0; offset < size; offset += 8) {
    auto word = content_word(id, offset);
    if (size >= identity_bytes && offset < identity_bytes) {
      word = offset == 0 ? whole.flow : whole.index;
    }
    std::byte piece[8];
    std::memcpy(piece, &word, sizeof word);
    if (!visit(offset, std::span<std::byte const>(piece, std::min<std::size_t>(8, size - offset)))) {
      return;
    }
  }
}

}  // namespace detail

inline void fill_datagram(std::span<std::byte> datagram, datagram_identity id) {
  detail::for_each_piece(datagram.size(), id, [&](std::size_t offset, std::span<std::byte const> piece) {
    std::memcpy(datagram.data() + offset, piece.data(), piece.size());
    return true;
  });
}

/// Offset of the first byte that is not what fill_datagram writes.
[[nodiscard]] inline std::optional<std::size_t> first_difference(std::span<std::byte const> datagram, datagram_identity id) {
  std::optional<std::size_t> found;
  detail::for_each_piece(datagram.size(), id, [&](std::size_t offset, std::span<std::byte const> piece) {
    auto const [wrong, _] = std::mismatch(piece.begin(), piece.end(), datagram.begin() + static_cast<std::ptrdiff_t>(offset));
    if (wrong != piece.end()) {
      found = offset + static_cast<std::size_t>(wrong - piece.begin());
    }
    return !found;
  });
  return found;
}

/// Who a datagram says it is; nothing when it is too small to say.
[[nodiscard]] inline std::optional<datagram_identity> identity_of(std::span<std::byte const> datagram) {
  if (datagram.size() < identity_bytes) {
    return std::nullopt;
  }
  datagram_identity id;
  std::memcpy(&id.flow, datagram.data(), sizeof id.flow);
  std::memcpy(&id.index, datagram.data() + sizeof id.flow, sizeof id.index);
  return id;
}

/// What arrived of one flow, in the order of arrival.
class flow_log {
 public:
  using range = std::pair<std::uint64_t, std::uint64_t>;  // first and last index
  struct corruption {
    std::uint64_t index;
    std::size_t size;    // as received
    std::size_t offset;  // of the first wrong byte; equal to `size` when the size itself is wrong
  };
  struct account {
    std::uint64_t received = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost_count = 0;
    std::vector<range> lost;                // never arrived, of first .. first + expected - 1
    std::vector<std::uint64_t> duplicated;  // arrived again, once for each time
    std::vector<std::uint64_t> reordered;   // arrived after a later one
    std::vector<corruption> corrupt;
    std::vector<std::uint64_t> unexpected;  // beyond the expected ones

    [[nodiscard]] bool clean() const {
      return lost_count == 0 && duplicated.empty() && reordered.empty() && corrupt.empty() && unexpected.empty();
    }
  };

  explicit flow_log(size_schedule schedule, std::uint64_t first_index = 0)
      : schedule_(std::move(schedule)), first_(first_index), next_(first_index) {}

  void take(std::span<std::byte const> datagram) {
    ++received_;
    bytes_ += datagram.size();
    auto const id = name(datagram);
    if (!id || schedule_.size_of(id->index) != datagram.size()) {
      corrupt_.push_back({id ? id->index : next_, datagram.size(), datagram.size()});
      return;
    }
    if (auto const offset = first_difference(datagram, *id)) {
      corrupt_.push_back({id->index, datagram.size(), *offset});
    }
    enter(id->index);
  }

  [[nodiscard]] std::uint64_t received() const { return received_; }

  /// The flow's number, once a datagram large enough to carry it has arrived.
  [[nodiscard]] std::optional<std::uint64_t> flow() const { return flow_; }

  /// How many datagrams there would be if none but later ones were lost.
  [[nodiscard]] std::uint64_t span() const { return next_ - first_; }

  [[nodiscard]] account report(std::uint64_t expected) const {
    account result{received_, bytes_, 0, {}, duplicated_, reordered_, corrupt_, {}};
    for (auto index = first_; index < first_ + expected; ++index) {
      if (seen(index)) {
        continue;
      }
      ++result.lost_count;
      if (!result.lost.empty() && result.lost.back().second + 1 == index) {
        result.lost.back().second = index;
      } else {
        result.lost.emplace_back(index, index);
      }
    }
    for (auto index = first_ + expected; index < next_; ++index) {
      if (seen(index)) {
        result.unexpected.push_back(index);
      }
    }
    return result;
  }

 private:
  // A corrupted index must not make the log allocate without bound.
  static constexpr std::uint64_t farthest = 1U << 24U;

  /// A datagram too small to carry its index is taken for the next one of its size: order tells, as long as order holds.
  [[nodiscard]] std::optional<datagram_identity> name(std::span<std::byte const> datagram) {
    if (auto const id = identity_of(datagram)) {
      flow_ = flow_.value_or(id->flow);
      return id->flow == *flow_ && id->index >= first_ && id->index - first_ < farthest ? id : std::nullopt;
    }
    for (auto index = next_; index < next_ + schedule_.sizes.size(); ++index) {
      if (schedule_.size_of(index) == datagram.size()) {
        return datagram_identity{0, index};
      }
    }
    return std::nullopt;
  }

  void enter(std::uint64_t index) {
    if (seen(index)) {
      duplicated_.push_back(index);
      return;
    }
    if (index < next_) {
      reordered_.push_back(index);
    }
    if (index - first_ >= seen_.size()) {
      seen_.resize(index - first_ + 1);
    }
    seen_[index - first_] = true;
    next_ = std::max(next_, index + 1);
  }

  [[nodiscard]] bool seen(std::uint64_t index) const { return index - first_ < seen_.size() && seen_[index - first_]; }

  size_schedule schedule_;
  std::uint64_t first_;
  std::uint64_t next_;  // one past the highest index that arrived
  std::uint64_t received_ = 0;
  std::uint64_t bytes_ = 0;
  std::optional<std::uint64_t> flow_;
  std::vector<bool> seen_;
  std::vector<std::uint64_t> duplicated_;
  std::vector<std::uint64_t> reordered_;
  std::vector<corruption> corrupt_;
};

}  // namespace rdsco::kernel_lab
