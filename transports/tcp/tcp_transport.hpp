// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/carrier.hpp"
#include "node/node_core.hpp"
#include "transports/tcp/listener.hpp"
#include "transports/tcp/tcp_link.hpp"

#include <rdsco/task_group.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace rdsco::detail {

/// RDS over TCP in one node: its listeners, its links, and the memory that all of them read into.
class tcp_transport final : public transport {
 public:
  explicit tcp_transport(node_core& node);
  ~tcp_transport() override;

  [[nodiscard]] std::string_view name() const noexcept override;
  [[nodiscard]] std::error_code open(local_host& host) override;
  void start() override;
  [[nodiscard]] std::unique_ptr<carrier> carry(connection& by) override;
  void congestion_changed(local_host& host) noexcept override;
  [[nodiscard]] task<> close() override;

  /// A peer has connected to one of our addresses. The stream is ours to close.
  void arrived(local_host& host, io_handle stream, address const& peer);

  [[nodiscard]] stream_tuning const& tuning() const noexcept { return tuning_; }
  /// What one link reads into and decodes before any other reads. Null: another link's bytes lie there.
  [[nodiscard]] mutable_buffer scratch(tcp_link const& reader) noexcept;
  void claim_scratch(tcp_link const& reader) noexcept { scratch_reader_ = &reader; }
  void release_scratch(tcp_link const& reader) noexcept {
    if (scratch_reader_ == &reader) scratch_reader_ = nullptr;
  }

  node_core& node;

 private:
  void refuse(io_handle stream) noexcept;

  static constexpr std::size_t scratch_bytes = 256 * 1024;

  stream_tuning tuning_;
  std::unique_ptr<std::byte[]> scratch_;
  tcp_link const* scratch_reader_ = nullptr;
  std::vector<std::unique_ptr<listener>> listeners_;
  struct carried {
    tcp_link* link;
    connection* by;
  };
  std::vector<carried> carried_;
  task_group actors_;
};

}  // namespace rdsco::detail
