// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/result.hpp>

#include <cstddef>
#include <span>
#include <system_error>

namespace rdsco::detail {

/// -errno as an error code: ECANCELED is errc::canceled, anything else the system's own.
[[nodiscard]] std::error_code io_error(std::int32_t result) noexcept;

/// An awaiter around one backend operation. `Derived` provides start(), which hands operation() to the backend,
/// await_resume(), and perhaps try_now(), which is true when the result is there without waiting.
template <class Derived, class Operation>
class io_awaiter : public leaf_operation<Derived> {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    if (!this->suspend_in(waiting, loop_)) {
      operation_.result = canceled_;
      return false;
    }
    if constexpr (requires { static_cast<Derived&>(*this).try_now(); }) {
      if (static_cast<Derived&>(*this).try_now()) {
        this->unsuspend();
        return false;
      }
    }
    static_cast<Derived&>(*this).start();
    return true;
  }
  void on_stop() noexcept {
    loop_.io().cancel(operation_);
    loop_.show_work();
  }

 protected:
  explicit io_awaiter(loop& where) noexcept : loop_(where), operation_(*this) {}
  [[nodiscard]] io_backend& io() noexcept { return loop_.io(); }
  [[nodiscard]] Operation& operation() noexcept { return operation_; }
  [[nodiscard]] std::error_code error() const noexcept { return io_error(operation_.result); }

 private:
  static constexpr std::int32_t canceled_ = -125;  // ECANCELED; the backend's convention, without <cerrno> in a header
  struct owned_operation : Operation {
    explicit owned_operation(io_awaiter& owner) noexcept : Operation(&ended), awaiter(owner) {}
    static void ended(io_operation& self) noexcept { static_cast<owned_operation&>(self).awaiter.complete(); }
    io_awaiter& awaiter;
  };

  loop& loop_;
  owned_operation operation_;
};

/// Takes a connection. A cancelled accept that succeeded all the same yields its stream.
class [[nodiscard]] accept_awaiter : public io_awaiter<accept_awaiter, accept_operation> {
 public:
  struct accepted {
    io_handle stream;
    endpoint local, peer;
    accepted() noexcept = default;
    accepted(io_handle handle, endpoint const& here, endpoint const& there) noexcept : stream(handle), local(here), peer(there) {}
  };
  accept_awaiter(loop& where, io_handle listener, stream_tuning const& tuning) noexcept
      : io_awaiter(where), listener_(listener), tuning_(tuning) {}
  result<accepted> await_resume() noexcept;

 private:
  friend io_awaiter;
  void start() noexcept { io().accept(listener_, tuning_, operation()); }
  io_handle listener_;
  stream_tuning tuning_;
};

class [[nodiscard]] connect_awaiter : public io_awaiter<connect_awaiter, io_operation> {
 public:
  connect_awaiter(loop& where, io_handle stream, endpoint const& peer) noexcept
      : io_awaiter(where), stream_(stream), peer_(peer) {}
  result<> await_resume() const noexcept { return error(); }

 private:
  friend io_awaiter;
  void start() noexcept { io().connect(stream_, peer_, operation()); }
  io_handle stream_;
  endpoint peer_;
};

/// Sends some of one buffer: first at once, and only where the stream is full through the backend's queue.
class [[nodiscard]] send_awaiter : public io_awaiter<send_awaiter, send_operation> {
 public:
  send_awaiter(loop& where, io_handle stream, const_buffer from) noexcept : io_awaiter(where), stream_(stream), from_(from) {}
  result<std::size_t> await_resume() noexcept;

 private:
  friend io_awaiter;
  [[nodiscard]] bool try_now() noexcept;
  void start() noexcept {
    operation().from = std::span<const_buffer const>(&from_, 1);
    io().send(stream_, operation());
  }
  io_handle stream_;
  const_buffer from_;
};

/// Receives some bytes; 0 at the end of the stream.
class [[nodiscard]] receive_awaiter : public io_awaiter<receive_awaiter, receive_operation> {
 public:
  receive_awaiter(loop& where, io_handle stream, mutable_buffer into) noexcept
      : io_awaiter(where), stream_(stream), into_(into) {}
  result<std::size_t> await_resume() noexcept;

 private:
  friend io_awaiter;
  void start() noexcept {
    operation().into = std::span<mutable_buffer const>(&into_, 1);
    io().receive(stream_, operation());
  }
  io_handle stream_;
  mutable_buffer into_;
};

/// Waits until a handle is readable or writable; yields what it is.
class [[nodiscard]] ready_awaiter : public io_awaiter<ready_awaiter, io_operation> {
 public:
  ready_awaiter(loop& where, io_handle handle, readiness what) noexcept : io_awaiter(where), handle_(handle), what_(what) {}
  result<readiness> await_resume() noexcept;

 private:
  friend io_awaiter;
  void start() noexcept { io().wait_ready(handle_, what_, operation()); }
  io_handle handle_;
  readiness what_;
};

}  // namespace rdsco::detail
