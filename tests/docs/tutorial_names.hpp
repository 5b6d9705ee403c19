// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// What the text around the pieces of code of the tutorial, and of other pages, speaks of.

#include <rdsco/block_on.hpp>
#include <rdsco/node.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <sys/epoll.h>

// The pieces show what they do not go on to use, and call things by names that are taken.
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"

using namespace std::chrono_literals;

struct tutorial_names {
  rdsco::loop& loop;
  rdsco::node& node;
  rdsco::socket& sock;
  rdsco::endpoint peer;
  std::string payload;
  std::array<std::byte, 1500> buffer;
  std::array<std::byte, 8192> memory;
  int epoll;
  epoll_event* events;
  int count;

  rdsco::task<> serve(rdsco::socket& at);
  void use(rdsco::const_buffers const& bytes);
};
