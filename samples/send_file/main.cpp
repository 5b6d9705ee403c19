// SPDX-License-Identifier: BSD-2-Clause
// Sends a file of which no program copies a byte: its memory is registered, and the adapter writes it into the memory of the other host's
// file.
//
//   send_file loopback FROM TO                          both ends in one process, to see it work anywhere
//   send_file ib|iwarp receive ADDRESS NETWORK TO       NETWORK: who may send, such as 10.0.0.0/24; TO is best on /dev/shm
//   send_file ib|iwarp send ADDRESS RECEIVER FROM
#include "transfer.hpp"
#include "../transport_argument.hpp"

#include <rdsco/rdsco.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

constexpr std::uint16_t file_port = 4001;
constexpr std::size_t bytes_max = std::size_t{1} << 40;

using arguments = std::vector<std::string_view>;

rdsco::address address_of(std::string_view text) { return rdsco::address::parse(text).value(); }

rdsco::node open(rdsco::loop& where, rdsco::node_options& options, std::string_view transport, rdsco::address const& at) {
  options.verbs.registration_thread = true;  // files are large, and there may be others to talk with meanwhile
  if (!own_with(transport, options, at)) throw std::runtime_error("no such transport: " + std::string(transport));
  return rdsco::node::open(where, options).value();
}

rdsco::task<> receive(rdsco::socket& at, std::string path) {
  std::size_t const bytes = co_await receive_file(at, std::move(path), bytes_max);
  std::printf("received %zu bytes\n", bytes);
}

rdsco::task<> send(rdsco::socket& from, rdsco::endpoint to, std::string path) {
  int const begun = co_await send_file(from, to, std::move(path));
  if (begun > 1) std::printf("begun %d times\n", begun);
}

rdsco::task<> both_ends(rdsco::loop& where, rdsco::socket& at, rdsco::socket& from, arguments const& told) {
  rdsco::task_group both(where);
  both.spawn(receive(at, std::string(told[2])));
  both.spawn(send(from, at.local(), std::string(told[1])));
  co_await both.join();
}

// The node is opened here, not in a coroutine: it is closed by its end, whatever is thrown meanwhile.
int run(arguments const& told) {
  rdsco::loop where;
  rdsco::node_options options;
  if (told.size() == 3 && told[0] == "loopback") {
    auto const one = rdsco::address::v4(127, 0, 0, 1), other = rdsco::address::v4(127, 0, 0, 2);
    own_with("loopback", options, one);
    rdsco::node node = open(where, options, told[0], other);
    rdsco::socket at = node.bind(one, file_port).value(), from = node.bind(other).value();
    block_on(where, both_ends(where, at, from, told));
  } else if (told.size() == 5 && told[1] == "receive") {
    options.allow(rdsco::subnet::parse(told[3]).value());
    rdsco::node node = open(where, options, told[0], address_of(told[2]));
    rdsco::socket at = node.bind(address_of(told[2]), file_port).value();
    std::printf("waiting\n");
    std::fflush(stdout);
    block_on(where, receive(at, std::string(told[4])));
  } else if (told.size() == 5 && told[1] == "send") {
    options.allow(rdsco::subnet::parse(told[3]).value());
    rdsco::node node = open(where, options, told[0], address_of(told[2]));
    rdsco::socket from = node.bind(address_of(told[2])).value();
    block_on(where, send(from, rdsco::endpoint(address_of(told[3]), file_port), std::string(told[4])));
  } else {
    std::fprintf(stderr, "send_file loopback FROM TO | ib|iwarp receive ADDRESS NETWORK TO | ib|iwarp send ADDRESS RECEIVER FROM\n");
    return 2;
  }
  return 0;
}

int main(int argc, char** argv) try {
  return run(arguments(argv + 1, argv + argc));
} catch (std::exception const& problem) {
  std::fprintf(stderr, "send_file: %s\n", problem.what());
  return 1;
}
