// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/block_on.hpp>

namespace rdsco {

stop_bridge::stop_bridge(loop& where, std::stop_token const& token, stop_scope& scope) : where_(where), mail_(scope) {
  if (token.stop_possible()) callback_.emplace(token, poster{this});
}

stop_bridge::~stop_bridge() {
  callback_.reset();  // waits for a callback under way on another thread; from here on nobody posts
  where_.withdraw(mail_);
}

void detail::run_until_empty(loop& where, task_group& group) {
  while (group.size() != 0) where.run_once();
  if (auto error = group.take_error()) std::rethrow_exception(std::move(error));
}

}  // namespace rdsco
