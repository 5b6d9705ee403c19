// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "transports/verbs/verbs_link.hpp"
#include "transports/verbs/verbs_transport.hpp"

#include <memory>
#include <string_view>
#include <utility>

namespace rdsco::detail {

/// The transport of one fabric.
template <verbs_fabric Fabric>
class typed_verbs_transport final : public verbs_transport {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return Fabric::name; }

  typed_verbs_transport(node_core& in, std::unique_ptr<verbs::api> calls)
      : verbs_transport(in, std::move(calls), Fabric::capabilities) {}

  [[nodiscard]] std::unique_ptr<carrier> carry(connection& by) override {
    if (windows_at(by.host)) return make_link<registration::fastreg>(by);
    return make_link<registration::fmr>(by);
  }

 private:
  template <registration How>
  [[nodiscard]] std::unique_ptr<carrier> make_link(connection& by) {
    auto made = std::make_unique<verbs_link<registering<Fabric, How>>>(*this, by);
    // Whatever may be refused comes before anything points at what would go again.
    make_room_to_carry();
    actors().spawn(run_path(by, *made));
    carries(by);
    return made;
  }
};

}  // namespace rdsco::detail
