// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: private data read past its end, or a field lost between reading and writing.
// How it is forced: any bytes of any length as both families; what was read is written and read again, and must be the same.
#include <array>

#include "fuzz/fuzz.hpp"
#include "protocol/cm_private_data.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

void check(address_family family, std::span<std::byte const> from) {
  auto const data = decode_cm(family, from);
  require(data.has_value() == (from.size() >= (family == address_family::v4 ? 28u : 52u)));
  if (!data) return;
  if (family == address_family::v4) {
    std::array<std::byte, cm_private_v4_bytes> wire;
    encode_v4(*data, wire);
    require(decode_cm(family, wire) == data);
  } else {
    std::array<std::byte, cm_private_v6_bytes> wire;
    encode_v6(*data, wire);
    require(decode_cm(family, wire) == data);
  }
  auto const version = choose_version(*data);
  require(!version || *version == version_3_1 || (version->major == 4 && version->minor <= 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span{data, size});
  check(address_family::v4, bytes);
  check(address_family::v6, bytes);
  return 0;
}
