// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: an old kernel, a forbidden ring, a full queue or exhausted memory end in silence, a hang or a lost completion.
// Forced by: invented old kernels, a seccomp filter, tiny rings, one lent buffer for many streams, and turns that are counted.
#include "loop/acknowledgement_tracker.hpp"
#include "loop/ring_error.hpp"
#include "loop/ring_flags.hpp"
#include "loop/ring_slots.hpp"
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <thread>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;
using detail::readiness;

TEST_CASE("flags that a kernel does not know are dropped, one set after the other") {
  struct kernel {
    char const* name;
    unsigned knows;
    unsigned gets;
  };
  constexpr unsigned base = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
  constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr unsigned v518 = base | IORING_SETUP_SUBMIT_ALL;
  constexpr unsigned v519 = v518 | cooperative;
  constexpr unsigned v60 = v519 | IORING_SETUP_SINGLE_ISSUER;
  constexpr unsigned v61 = v60 | IORING_SETUP_DEFER_TASKRUN;
  constexpr std::array kernels{
      kernel{"6.1", v61, (v61 & ~IORING_SETUP_COOP_TASKRUN)}, kernel{"6.0", v60, v60}, kernel{"5.19", v519, v519},
      kernel{"5.18", v518, v518}, kernel{"5.13", base, base},
  };
  for (auto const& each : kernels) {
    INFO(each.name);
    unsigned got = 0;
    int const outcome = detail::probe_ring_flags([&](unsigned flags) {
      got = flags;
      return (flags & ~each.knows) == 0 ? 0 : -EINVAL;
    });
    REQUIRE(outcome == 0);
    REQUIRE(got == each.gets);
  }
  int calls = 0;
  REQUIRE(detail::probe_ring_flags([&](unsigned) { return ++calls, -EPERM; }) == -EPERM);
  REQUIRE(calls == 1);  // not a question of flags
  REQUIRE(detail::probe_ring_flags([](unsigned) { return -EINVAL; }) == -EINVAL);
}

TEST_CASE("errors of the ring say what to do") {
  using Catch::Contains;
  REQUIRE_THAT(detail::ring_error_text(EPERM), Contains("kernel.io_uring_disabled") && Contains("seccomp"));
  REQUIRE_THAT(detail::ring_error_text(ENOMEM), Contains("ulimit -l"));
  REQUIRE_THAT(detail::ring_error_text(ENOSYS), Contains("Linux 6.1 or newer"));
  REQUIRE_THAT(detail::ring_error_text(EMFILE), Contains("ulimit -n"));
  REQUIRE(detail::ring_error_code(EPERM) == errc::ring_not_permitted);
  REQUIRE(detail::ring_error_code(EACCES) == errc::ring_not_permitted);
  REQUIRE(detail::ring_error_code(ENOSYS) == errc::ring_unavailable);
  REQUIRE(detail::ring_error_code(ENOMEM) == std::errc::not_enough_memory);
}

namespace {

/// From here on a system call fails in this process: always, or where its second argument is `argument`.
void forbid(unsigned call, int error, std::optional<unsigned> argument = std::nullopt) {
  auto const refuse = SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
  auto const where = static_cast<unsigned>(offsetof(seccomp_data, args) + sizeof(std::uint64_t));
  auto const unless_equal = static_cast<__u8>(argument ? 1 : 0);
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, where),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument.value_or(0), 0, unless_equal),
      BPF_STMT(BPF_RET | BPF_K, refuse),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog const filter{6, program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) ::_exit(3);
}

/// The exit status of a child process that does `function`; 9 when that throws, a failed assertion included.
template <class F>
int status_of(F function) {
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      ::_exit(function());
    } catch (...) {
      ::_exit(9);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a forbidden ring is an error with a text") {
  REQUIRE(status_of([] {
            forbid(__NR_io_uring_setup, EPERM);
            try {
              loop where;
            } catch (std::system_error const& failed) {
              bool const told = std::string(failed.what()).find("seccomp") != std::string::npos;
              return failed.code() == errc::ring_not_permitted && told ? 0 : 1;
            }
            return 2;
          }) == 0);
}

TEST_CASE("a slot's old name does not find its new operation") {
  detail::ring_slots slots;
  detail::io_operation first, second;
  auto& slot = slots.acquire(first, detail::slot_kind::send, 5);
  auto const index = first.slot.index;
  auto const generation = first.slot.generation;
  REQUIRE(slots.find(index, generation) == &slot);
  slots.release(slot);
  REQUIRE_FALSE(first.in_flight);
  REQUIRE(slots.find(index, generation) == nullptr);
  auto& again = slots.acquire(second, detail::slot_kind::send, 5);
  REQUIRE(&again == &slot);
  REQUIRE(slots.find(index, generation) == nullptr);
  REQUIRE(slots.find(index, second.slot.generation) == &slot);
  REQUIRE(slots.find(index + 1, 0) == nullptr);
  slots.release(again);
  detail::ring_tag const tag(12345, 0xffff'fffeU, detail::ring_purpose::cancel);
  detail::ring_tag const read(tag.bits());
  REQUIRE(read.index == 12345);
  REQUIRE(read.generation == 0xffff'fffeU);
  REQUIRE(read.purpose == detail::ring_purpose::cancel);
}

TEST_CASE("acknowledged bytes are counted beyond 32 bits") {
  detail::acknowledgement_tracker tracker;
  REQUIRE(tracker.extend(99) == 100);
  REQUIRE(tracker.extend(99) == 100);
  REQUIRE(tracker.extend(49) == 100);  // an older report that comes late
  REQUIRE(tracker.extend(0x7fff'ffff) == 0x8000'0000U);
  REQUIRE(tracker.extend(0xefff'ffff) == 0xf000'0000U);
  REQUIRE(tracker.extend(0xffff'ffff) == 0x1'0000'0000U);
  REQUIRE(tracker.extend(9) == 0x1'0000'000aU);
}

TEST_CASE("a loop is made on one thread and run on another") {
  loop where;
  int value = 0;
  std::thread([&] { value = block_on(where, []() -> task<int> { co_return (co_await sleep(1ns)) ? 5 : 0; }()); }).join();
  REQUIRE(value == 5);
}

namespace {

struct noted_receive : detail::receive_operation {
  noted_receive() noexcept : receive_operation(&ended) {}
  static void ended(detail::io_operation& self) noexcept { ++static_cast<noted_receive&>(self).completions; }
  int completions = 0;
};

task<> until_ended(noted_receive const* one) {
  while (one->in_flight) (void)co_await sleep(10us);
}

task<> hungry_streams(loop& where) {
  std::vector<stream_pair> streams;
  for (int i = 0; i < 6; ++i) streams.push_back(co_await connected_pair(where));
  std::vector<noted_receive> receives(6);
  auto const bytes = counted_bytes(10);
  for (std::size_t i = 0; i < 6; ++i) {
    where.io().receive(streams[i].server, receives[i]);
    co_await send_all(where, streams[i].client, bytes);
  }
  // Two buffers for six streams: the others wait, without an error, until one comes back.
  (void)co_await sleep(1ms);
  std::size_t served = 0;
  while (served < 5) {
    (void)co_await sleep(10us);
    for (auto& each : receives) {
      if (each.in_flight || each.lent == 0) continue;
      REQUIRE(each.result == 10);
      REQUIRE(std::equal(each.bytes.begin(), each.bytes.end(), bytes.begin(), bytes.end()));
      where.io().release_received(each);
      if (++served == 5) break;
    }
  }
  for (auto& each : receives) {
    where.io().cancel(each);
    co_await until_ended(&each);
    REQUIRE(each.completions == 1);
    where.io().release_received(each);
  }
  REQUIRE(where.io().counters().starved > 0);
  for (auto& each : streams) close_pair(where, each);
}

task<> cancelled_while_starved(loop& where) {
  auto const one = co_await connected_pair(where);
  auto const other = co_await connected_pair(where);
  noted_receive holds, also_holds, starved;
  auto const bytes = counted_bytes(10);
  co_await send_all(where, one.client, bytes);
  where.io().receive(one.server, holds);
  co_await until_ended(&holds);
  co_await send_all(where, one.client, bytes);
  where.io().receive(one.server, also_holds);
  co_await until_ended(&also_holds);
  auto const before = where.io().counters().starved;
  co_await send_all(where, other.client, bytes);
  where.io().receive(other.server, starved);
  while (where.io().counters().starved == before) (void)co_await sleep(10us);
  where.io().cancel(starved);
  co_await until_ended(&starved);
  REQUIRE(starved.result == -ECANCELED);
  where.io().release_received(holds);
  where.io().release_received(also_holds);
  // Nothing was eaten.
  auto const got = co_await receive_count(where, other.server, 10);
  REQUIRE(got == bytes);
  close_pair(where, one);
  close_pair(where, other);
}

task<> until_starved(loop& where, std::uint64_t count) {
  while (where.io().counters().starved < count) (void)co_await sleep(10us);
}

// Two starve for one buffer, and the first of them does not use it.
task<> passed_on(loop& where, bool reset) {
  auto const first = co_await connected_pair(where);
  auto const second = co_await connected_pair(where);
  auto const third = co_await connected_pair(where);
  noted_receive holds, unlucky, hungry;
  auto const bytes = counted_bytes(10);
  co_await send_all(where, first.client, bytes);
  where.io().receive(first.server, holds);
  co_await until_ended(&holds);
  auto const before = where.io().counters().starved;
  where.io().receive(second.server, unlucky);
  co_await until_starved(where, before + 1);
  where.io().receive(third.server, hungry);
  co_await until_starved(where, before + 2);
  if (reset) where.io().close(second.client, true);
  co_await send_all(where, third.client, bytes);
  where.io().release_received(holds);
  for (int look = 0; look < 5000 && hungry.in_flight; ++look) (void)co_await sleep(1ms);
  where.io().cancel(hungry);
  co_await until_ended(&hungry);
  REQUIRE(hungry.result == 10);
  where.io().release_received(hungry);
  where.io().cancel(unlucky);
  co_await until_ended(&unlucky);
  REQUIRE(unlucky.result == (reset ? -ECONNRESET : -ECANCELED));
  if (!reset) where.io().close(second.client, false);
  where.io().close(second.server, false);
  close_pair(where, first);
  close_pair(where, third);
}

loop_options two_buffers() {
  loop_options options;
  options.receive_buffers.count = 2;
  options.receive_buffers.bytes = 4096;
  return options;
}

}  // namespace

TEST_CASE("lent memory works on kernels without buffer rings") {
  REQUIRE(status_of([] {
            forbid(__NR_io_uring_register, EINVAL, IORING_REGISTER_PBUF_RING);
            loop where(two_buffers());
            block_on(where, hungry_streams(where));
            block_on(where, cancelled_while_starved(where));
            return where.io().operations_in_flight() == 0 ? 0 : 1;
          }) == 0);
}

TEST_CASE("receives that find no lent memory wait for it") {
  loop where(two_buffers());
  block_on(where, hungry_streams(where));
  block_on(where, cancelled_while_starved(where));
  REQUIRE(where.io().operations_in_flight() == 0);
}

TEST_CASE("a buffer that a starved receive does not use is passed on to the next") {
  for (bool const reset : {true, false}) {
    INFO((reset ? "reset" : "idle"));
    loop_options options = two_buffers();
    options.receive_buffers.count = 1;
    loop where(options);
    block_on(where, passed_on(where, reset));
    REQUIRE(where.io().operations_in_flight() == 0);
  }
}

namespace {

struct noted_watch : detail::watch_operation {
  explicit noted_watch(int from) noexcept : watch_operation(&event), descriptor(from) {}
  static void event(detail::io_operation& self) noexcept {
    auto& mine = static_cast<noted_watch&>(self);
    if (!mine.in_flight) return;
    eventfd_t value = 0;
    while (::eventfd_read(mine.descriptor, &value) == 0) mine.drained += value;
    ++mine.events;
  }
  int descriptor;
  int events = 0;
  std::uint64_t drained = 0;
};

task<> watch_descriptor(loop& where) {
  int const descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  auto const handle = where.io().adopt(descriptor);
  noted_watch watch(descriptor);
  where.io().watch(handle, readiness::readable, watch);
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    REQUIRE(::eventfd_write(descriptor, 1) == 0);
    while (watch.drained < i) (void)co_await sleep(1us);
  }
  REQUIRE(watch.events <= 2000);
  where.io().cancel(watch);
  while (watch.in_flight) (void)co_await sleep(1us);
  REQUIRE(watch.result == -ECANCELED);
  where.io().close(handle, false);
  REQUIRE(::eventfd_write(descriptor, 1) == 0);  // adopted, not closed
  ::close(descriptor);
}

}  // namespace

TEST_CASE("a watched descriptor reports until it is cancelled") {
  kernel_world world;
  block_on(world.where, watch_descriptor(world.where));
  REQUIRE(world.where.io().operations_in_flight() == 0);
}

TEST_CASE("more completions than the queue holds are kept") {
  loop_options options;
  options.ring_entries = 4;
  options.completion_entries = 4;
  loop where(options);
  block_on(where, [](loop& on) -> task<> {
    auto const streams = co_await connected_pair(on);
    task_group group(on);
    int ready = 0;
    for (int i = 0; i < 200; ++i)
      group.spawn([&]() -> task<> {
        auto const got = co_await detail::ready_awaiter(on, streams.server, readiness::readable);
        ready += got ? 1 : 0;
      });
    co_await yield();
    (void)co_await sleep(1ms);
    auto const byte = counted_bytes(1);
    co_await send_all(on, streams.client, byte);
    co_await group.join();
    REQUIRE(ready == 200);
    close_pair(on, streams);
  }(where));
}

TEST_CASE("a turn waits once, and a message that is taken directly costs no turn") {
  loop where;
  auto const streams = block_on(where, connected_pair(where));
  auto const bytes = counted_bytes(64);
  auto const before = where.io().counters();
  auto const turns = where.counters().turns;
  block_on(where, [](loop& on, stream_pair ends, std::vector<std::byte> const& what) -> task<> {
    for (int i = 0; i < 100; ++i) co_await send_all(on, ends.client, what);
  }(where, streams, bytes));
  // A hundred sends, each one direct call, all in one turn.
  REQUIRE(where.counters().turns - turns <= 1);
  REQUIRE(where.io().counters().submissions == before.submissions);
  auto const waits = where.io().counters().waits;
  auto const turns_then = where.counters().turns;
  block_on(where, [](loop& on, stream_pair ends) -> task<> { (void)co_await receive_count(on, ends.server, 6400); }(where, streams));
  REQUIRE(where.io().counters().waits - waits <= where.counters().turns - turns_then);
  close_pair(where, streams);
}

namespace {

/// Looks at a stream directly while bytes are expected, and arms a receive only before the loop sleeps.
class eager_receiver : public detail::spinner {
 public:
  eager_receiver(loop& where, detail::io_handle stream) noexcept : where_(where), stream_(stream) { where.add_spinner(*this); }
  ~eager_receiver() { where_.remove_spinner(*this); }
  [[nodiscard]] bool expecting() const noexcept override { return expected > received; }
  bool spin() noexcept override {
    std::array<std::byte, 100> into;
    mutable_buffer const buffer(into);
    auto const got = where_.io().try_receive(stream_, std::span<mutable_buffer const>(&buffer, 1));
    if (got <= 0) return false;
    received += static_cast<std::size_t>(got);
    return true;
  }
  void before_wait() noexcept override { ++sleeps; }
  std::size_t expected = 0, received = 0;
  int sleeps = 0;

 private:
  loop& where_;
  detail::io_handle stream_;
};

}  // namespace

TEST_CASE("expected bytes are looked for before the loop sleeps") {
  loop_options options;
  options.spin_max = 1s;
  loop where(options);
  auto const streams = block_on(where, connected_pair(where));
  {
    eager_receiver receiver(where, streams.server);
    auto const bytes = counted_bytes(10);
    block_on(where, send_all(where, streams.client, bytes));
    bool const spins = std::thread::hardware_concurrency() > 1;
    receiver.expected = 10;
    // With one processor nothing may spin, so a timer ends the turn there.
    task_group group(where);
    group.spawn([]() -> task<> { (void)co_await sleep(100ms); });
    where.run_once();
    where.run_once();
    REQUIRE((receiver.received == 10) == spins);
    REQUIRE((where.counters().spins_hit == 1) == spins);
    receiver.expected = receiver.received;
    while (group.size() > 0) where.run_once();
    REQUIRE(receiver.sleeps > 0);
  }
  close_pair(where, streams);
}
