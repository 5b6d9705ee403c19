// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// Everything a program needs to be an RDS node.
#include <rdsco/basic_socket.hpp>
#include <rdsco/block_on.hpp>
#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/error.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/message.hpp>
#include <rdsco/node.hpp>
#include <rdsco/notification.hpp>
#include <rdsco/result.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/socket.hpp>
#include <rdsco/stop.hpp>
#include <rdsco/task.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>
#include <rdsco/transport.hpp>
#include <rdsco/when_all.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>
