// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/node_options.hpp>

#include <algorithm>
#include <charconv>

namespace rdsco {

std::optional<subnet> subnet::parse(std::string_view text) {
  auto const slash = text.find('/');
  auto const base = address::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  unsigned const width = base->is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != text.npos) {
    std::string_view const digits = text.substr(slash + 1);
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > width) return std::nullopt;
  }
  subnet made;
  made.base = *base;
  made.prefix_bits = bits + 128 - width;
  return made;
}

bool subnet::contains(address const& candidate) const noexcept {
  auto const& ours = base.bytes();
  auto const& theirs = candidate.bytes();
  unsigned const whole = prefix_bits / 8;
  if (!std::equal(ours.begin(), ours.begin() + whole, theirs.begin())) return false;
  unsigned const rest = prefix_bits % 8;
  if (rest == 0) return true;
  auto const mask = static_cast<std::byte>(0xff00u >> rest);
  return (ours[whole] & mask) == (theirs[whole] & mask);
}

bool node_options::allows(address const& peer) const noexcept {
  return std::any_of(allowed_.begin(), allowed_.end(), [&](subnet const& each) { return each.contains(peer); });
}

}  // namespace rdsco
