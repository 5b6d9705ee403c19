// SPDX-License-Identifier: BSD-2-Clause
// A store of keys and values in the memory of one host. Clients write and read it by themselves: a put is a remote write and a
// datagram that says so, a get is a remote read of which the server's program knows nothing.
//
//   put_get loopback                                        server and client in one process, to see it work anywhere
//   put_get ib|iwarp serve ADDRESS NETWORK                  NETWORK: who may come, such as 10.0.0.0/24
//   put_get ib|iwarp put SERVER ADDRESS KEY VALUE        ADDRESS: our own
//   put_get ib|iwarp get SERVER ADDRESS KEY
#include "store.hpp"
#include "../transport_argument.hpp"

#include <rdsco/rdsco.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

constexpr std::uint16_t store_port = 4000;
constexpr auto patience = std::chrono::seconds(30);

using arguments = std::vector<std::string_view>;

rdsco::address address_of(std::string_view text) { return rdsco::address::parse(text).value(); }

rdsco::node open(rdsco::loop& where, rdsco::node_options& options, std::string_view transport, rdsco::address const& at) {
  if (!own_with(transport, options, at)) throw std::runtime_error("no such transport: " + std::string(transport));
  return rdsco::node::open(where, options).value();
}

rdsco::task<> show(rdsco::socket& from, rdsco::socket& server) {
  store_client client(from, server.local());
  co_await client.open();
  co_await client.put("apple", "red");
  co_await client.put("pear", "green");
  co_await client.put("apple", "yellow");
  std::array<std::string, 3> const keys{"apple", "pear", "plum"};
  for (std::string const& key : keys) {
    auto const found = co_await client.get(key);
    std::printf("%s: %s\n", key.c_str(), found ? found->c_str() : "nothing");
  }
  auto const heard = co_await client.puts();
  std::printf("the server heard of %s puts\n", heard.c_str());
  server.close();  // whoever serves there ends
}

rdsco::task<> serve_and_show(rdsco::loop& where, rdsco::socket& at, rdsco::socket& from) {
  store_server server(at);
  rdsco::task_group both(where);
  both.spawn(server.serve());
  both.spawn(show(from, at));
  co_await both.join();
}

rdsco::task<> serve(rdsco::socket& at) {
  store_server server(at);
  std::printf("serving\n");
  std::fflush(stdout);
  co_await server.serve();
}

rdsco::task<> patiently(rdsco::task<> work) { (co_await rdsco::with_timeout(patience, std::move(work))).value(); }

rdsco::task<> put(rdsco::socket& from, rdsco::endpoint server, std::string key, std::string value) {
  store_client client(from, server);
  co_await client.open();
  co_await client.put(std::move(key), std::move(value));
}

rdsco::task<> get(rdsco::socket& from, rdsco::endpoint server, std::string key) {
  store_client client(from, server);
  co_await client.open();
  auto const found = co_await client.get(std::move(key));
  std::printf("%s\n", found ? found->c_str() : "nothing");
}

// The node is opened here, not in a coroutine: it is closed by its end, whatever is thrown meanwhile.
int run(arguments const& told) {
  rdsco::loop where;
  rdsco::node_options options;
  if (told.size() == 1 && told[0] == "loopback") {
    auto const there = rdsco::address::v4(127, 0, 0, 1), here = rdsco::address::v4(127, 0, 0, 2);
    own_with("loopback", options, there);
    rdsco::node node = open(where, options, told[0], here);
    rdsco::socket at = node.bind(there, store_port).value(), from = node.bind(here).value();
    block_on(where, serve_and_show(where, at, from));
  } else if (told.size() == 4 && told[1] == "serve") {
    options.allow(rdsco::subnet::parse(told[3]).value());
    rdsco::node node = open(where, options, told[0], address_of(told[2]));
    rdsco::socket at = node.bind(address_of(told[2]), store_port).value();
    block_on(where, serve(at));
  } else if ((told.size() == 6 && told[1] == "put") || (told.size() == 5 && told[1] == "get")) {
    rdsco::endpoint const server(address_of(told[2]), store_port);
    options.allow(rdsco::subnet::parse(told[2]).value());
    rdsco::node node = open(where, options, told[0], address_of(told[3]));
    rdsco::socket from = node.bind(address_of(told[3])).value();
    std::string const key(told[4]);
    auto work = told[1] == "put" ? put(from, server, key, std::string(told[5])) : get(from, server, key);
    block_on(where, patiently(std::move(work)));
  } else {
    std::fprintf(stderr, "put_get loopback | ib|iwarp serve ADDRESS NETWORK | put SERVER ADDRESS KEY VALUE | get SERVER ADDRESS KEY\n");
    return 2;
  }
  return 0;
}

int main(int argc, char** argv) try {
  return run(arguments(argv + 1, argv + argc));
} catch (std::exception const& problem) {
  std::fprintf(stderr, "put_get: %s\n", problem.what());
  return 1;
}
