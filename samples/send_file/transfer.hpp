// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/socket.hpp>
#include <rdsco/task.hpp>

#include <cstddef>
#include <string>

/// Receives one file of anybody and stores it: how large it is. The adapter puts it into the file's memory.
/// `bytes_max`: what it may have at most.
rdsco::task<std::size_t> receive_file(rdsco::socket& at, std::string path, std::size_t bytes_max);

/// Sends one file: how often it was begun, which is once unless connections break.
rdsco::task<int> send_file(rdsco::socket& from, rdsco::endpoint to, std::string path);
