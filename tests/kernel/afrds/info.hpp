// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace rdsco::kernel_lab {

/// One of the kernel's RDS lists (RDS_INFO_...), as it was at one moment.
class info_list {
 public:
  info_list(int rds_descriptor, int which);

  [[nodiscard]] std::size_t size() const { return record_size_ == 0 ? 0 : records_.size() / record_size_; }
  [[nodiscard]] char const* record(std::size_t index) const { return records_.data() + index * record_size_; }

 private:
  std::vector<char> records_;
  std::size_t record_size_ = 0;
};

/// Reports the kernel's counters, connections and message queues: the evidence for what the kernel itself dropped or keeps.
int run_info();

}  // namespace rdsco::kernel_lab
