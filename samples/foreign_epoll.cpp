// SPDX-License-Identifier: BSD-2-Clause
// A node inside an event loop that is not rdsco's: one descriptor to wait on, one poll() to call, no thread. The foreign
// loop is epoll; what it does besides is to read lines from standard input. Each line goes to the echo server as a datagram:
//
//   printf 'one\ntwo\n' | foreign_epoll 127.0.0.1 127.0.0.2 [TCP-PORT]
#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/task_group.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <sys/epoll.h>
#include <unistd.h>

constexpr std::uint16_t echo_port = 4000;

rdsco::task<> ask(rdsco::socket& own, rdsco::endpoint server, std::string line) {
  (co_await own.send_to(line, server)).value();
}

rdsco::task<> print_answers(rdsco::socket& own, int& answers) {
  for (;;) {
    auto [ec, answer] = co_await own.receive();
    if (ec) co_return;
    std::vector<std::byte> scratch;
    std::printf("answer: %s\n", std::string(rdsco::as_text(answer.contiguous(scratch))).c_str());
    ++answers;
  }
}

void watch(int epoll, int descriptor) {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &wanted) != 0) throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

/// The program's own loop. Ends when standard input has ended and every line was answered.
void run(rdsco::loop& where, rdsco::task_group& work, rdsco::socket& own, rdsco::endpoint const& server) {
  int const epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, where.wait_fd());
  watch(epoll, STDIN_FILENO);
  int asked = 0, answers = 0;
  std::string line;
  work.spawn(print_answers(own, answers));
  where.poll();  // once before the first wait
  for (bool more = true; more || answers < asked;) {
    epoll_event event{};
    if (epoll_wait(epoll, &event, 1, -1) == 1 && event.data.fd == STDIN_FILENO) {
      char next = 0;
      more = ::read(STDIN_FILENO, &next, 1) == 1;
      if (!more) epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
      if (next == '\n') {
        ++asked;
        work.spawn(ask(own, server, std::exchange(line, "")));
      } else if (more) {
        line += next;
      }
    }
    where.poll();  // never waits; also after what the program spawned itself
  }
  work.stop();
  while (work.size() > 0) where.poll();
  ::close(epoll);
}

int main(int argc, char** argv) try {
  auto const host = rdsco::address::parse(argc > 1 ? argv[1] : "");
  auto const server = rdsco::address::parse(argc > 2 ? argv[2] : "");
  if (!host || !server) {
    std::fprintf(stderr, "usage: foreign_epoll ADDRESS SERVER [TCP-PORT]\n");
    return 2;
  }
  rdsco::node_options options;
  options.own(*host).allow(rdsco::subnet::parse("127.0.0.0/8").value());
  if (argc > 3) options.tcp.port = static_cast<std::uint16_t>(std::atoi(argv[3]));
  rdsco::loop where;
  rdsco::node node = rdsco::node::open(where, options).value();
  rdsco::socket own = node.bind(*host).value();
  rdsco::task_group work(where);
  run(where, work, own, rdsco::endpoint(*server, echo_port));
  return 0;  // the node closes itself here, running the loop
} catch (std::exception const& problem) {
  std::fprintf(stderr, "foreign_epoll: %s\n", problem.what());
  return 1;
}
