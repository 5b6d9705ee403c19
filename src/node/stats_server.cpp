// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/stats_server.hpp>

#include "node/event_signal.hpp"
#include "node/local_listener.hpp"
#include "node/node_core.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace rdsco::detail {

namespace {

constexpr std::size_t line_bytes_max = 64;
constexpr std::string_view unknown_request = R"({"error":"unknown request; there is one: tables"})";
// Out of descriptors: whoever waits stays in the backlog meanwhile.
constexpr std::chrono::milliseconds pause_after_failure{100};

/// A descriptor that the loop watches, until the end of this.
class watched {
 public:
  watched(loop& where, int descriptor) noexcept : where_(where), handle_(where.io().adopt(descriptor)) {}
  watched(watched const&) = delete;
  watched& operator=(watched const&) = delete;
  ~watched() { where_.io().close(handle_, false); }

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] ready_awaiter ready(readiness what) noexcept { return {where_, handle_, what}; }

 private:
  loop& where_;
  io_handle handle_;
};

bool would_wait(ssize_t outcome) noexcept { return outcome < 0 && (errno == EAGAIN || errno == EINTR); }

}  // namespace

class stats_server_core {
 public:
  stats_server_core(loop& where, node const& of, stats_server_options const& options)
      : where_(where), node_(of.core()), options_(options), clients_(where), room_(where), serving_(where) {}
  ~stats_server_core() {
    if (open_) block_on(where_, close());
  }

  [[nodiscard]] std::error_code open(std::string const& path) {
    if (auto const why = listener_.open(path)) return why;
    listening_.emplace(where_, listener_.descriptor());
    if (!*listening_) return errc::not_supported;
    open_ = true;
    serving_.spawn(accept_clients());
    return {};
  }

  [[nodiscard]] task<> close() {
    open_ = false;
    serving_.stop();
    clients_.stop();
    room_.raise(1);
    co_await serving_.join();
    co_await clients_.join();
    listening_.reset();
    listener_.close();
  }

 private:
  task<> accept_clients() {
    while (open_) {
      std::error_code why;
      owned_descriptor client = listener_.accept(why);
      if (client) {
        clients_.spawn(serve(std::move(client)));
        while (open_ && clients_.size() >= options_.clients) co_await room_.next();
      } else if (why == errc::would_block) {
        static_cast<void>(co_await listening_->ready(readiness::readable));
      } else {
        static_cast<void>(co_await sleep(pause_after_failure));
      }
    }
  }

  task<> serve(owned_descriptor client) {
    watched stream(where_, client.get());
    std::string line;
    while (co_await read_line(client.get(), stream, line)) {
      std::string answer = line == "tables" ? node_.to_json() : std::string(unknown_request);
      answer += '\n';
      if (!co_await write(client.get(), stream, answer)) break;
    }
    room_.raise(1);
  }

  /// False: the client has gone, is idle, or writes what cannot be a request.
  task<bool> read_line(int client, watched& stream, std::string& line) {
    line.clear();
    while (line.size() < line_bytes_max) {
      char next = 0;
      ssize_t const got = ::recv(client, &next, 1, MSG_DONTWAIT);
      if (would_wait(got)) {
        auto const ready = co_await with_timeout(options_.idle, stream.ready(readiness::readable));
        if (ready.ec) co_return false;
      } else if (got <= 0) {
        co_return false;
      } else if (next == '\n') {
        co_return true;
      } else {
        line += next;
      }
    }
    co_return false;
  }

  task<bool> write(int client, watched& stream, std::string_view rest) {
    while (!rest.empty()) {
      ssize_t const sent = ::send(client, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (would_wait(sent)) {
        auto const ready = co_await with_timeout(options_.idle, stream.ready(readiness::writable));
        if (ready.ec) co_return false;
      } else if (sent < 0) {
        co_return false;
      } else {
        rest.remove_prefix(static_cast<std::size_t>(sent));
      }
    }
    co_return true;
  }

  loop& where_;
  node_core& node_;
  stats_server_options const options_;
  local_listener listener_;
  std::optional<watched> listening_;
  task_group clients_;
  event_signal room_;  // a client has gone
  task_group serving_;
  bool open_ = false;
};

}  // namespace rdsco::detail

namespace rdsco {

stats_server::stats_server(std::unique_ptr<detail::stats_server_core> core) noexcept : core_(std::move(core)) {}
stats_server::stats_server() noexcept = default;
stats_server::stats_server(stats_server&&) noexcept = default;
stats_server& stats_server::operator=(stats_server&&) noexcept = default;
stats_server::~stats_server() = default;

result<stats_server> stats_server::open(loop& where, node const& of, std::string const& path, stats_server_options const& options) {
  if (!of) return errc::closed;
  auto core = std::make_unique<detail::stats_server_core>(where, of, options);
  if (auto const why = core->open(path)) return why;
  return stats_server(std::move(core));
}

task<> stats_server::close() {
  if (core_ == nullptr) co_return;
  co_await core_->close();
  core_.reset();
}

}  // namespace rdsco
