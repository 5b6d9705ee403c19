// SPDX-License-Identifier: BSD-2-Clause
// What many tests include, for cmake/RdscoPrecompile.cmake. Nobody includes this file. Nothing of the tests' own is in it but their
// assertions: a name that one of them gives to a thing of its own must not be taken already.
#pragma once

#include "catch_in_coroutines.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/when_all.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>
