// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: statistics for strangers, a socket file taken from a living process or left behind, a client that stalls the others.
// Forced by: clients on a thread of their own that ask, babble, stay silent, come in numbers and come as another user.
#include "support/nodes.hpp"

#include <rdsco/stats_server.hpp>

#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace {

using namespace rdsco;
using namespace rdsco::test;

class own_directory {
 public:
  own_directory() {
    char name[] = "/tmp/rdsco_stats_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~own_directory() {
    ::unlink(socket().c_str());
    ::rmdir(path_.c_str());
  }
  [[nodiscard]] std::string socket() const { return path_ + "/stats"; }
  [[nodiscard]] std::string const& path() const { return path_; }

 private:
  std::string path_;
};

node_options inside_only() {
  node_options made;
  made.own<loopback>(at("127.0.0.1"));
  return made;
}

sockaddr_un address_of(std::string const& path) {
  sockaddr_un made{};
  made.sun_family = AF_UNIX;
  path.copy(made.sun_path, sizeof made.sun_path - 1);
  return made;
}

/// A blocking client; -1 where nobody listens. It gives up after the patience of the tests.
int connected(std::string const& path) {
  auto const to = address_of(path);
  int const made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval const limit{patience.count(), 0};
  ::setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(made, reinterpret_cast<sockaddr const*>(&to), sizeof to) == 0) return made;
  ::close(made);
  return -1;
}

void write_to(int client, std::string_view text) { (void)::send(client, text.data(), text.size(), MSG_NOSIGNAL); }

std::string read_line(int client) {
  std::string line;
  char next = 0;
  while (::recv(client, &next, 1, 0) == 1) {
    if (next == '\n') return line;
    line += next;
  }
  return line + "(end)";
}

std::string ask(std::string const& path) {
  int const client = connected(path);
  write_to(client, "tables\n");
  auto line = read_line(client);
  ::close(client);
  return line;
}

/// Runs the loop while `client` runs beside it.
template <class F>
void serve_while(loop& where, F client) {
  std::thread other([&] {
    client();
    where.stop();
  });
  where.run();
  other.join();
}

stats_server open_server(loop& where, node& on, std::string const& path, stats_server_options const& options = {}) {
  auto made = stats_server::open(where, on, path, options);
  INFO(made.ec.message());
  REQUIRE(!made.ec);
  return std::move(made.data);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const all = ::opendir("/proc/self/fd");
  while (::readdir(all) != nullptr) ++count;
  ::closedir(all);
  return count;
}

bool exists(std::string const& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

bool whole_answer(std::string const& line) { return line.starts_with("{\"counters\":{") && line.ends_with("}"); }

/// Leaves a socket file that nobody listens at, as a killed process does.
void leave_stale(std::string const& path) {
  auto const at = address_of(path);
  int const dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(dead, reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0);
  ::close(dead);
}

}  // namespace

TEST_CASE("a client asks as often as it likes; what is no request is told so") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  auto server = open_server(where, on, place.socket());
  std::vector<std::string> lines;
  serve_while(where, [&] {
    int const client = connected(place.socket());
    for (auto const* request : {"tables\n", "nonsense\n", "tables\n"}) {
      write_to(client, request);
      lines.push_back(read_line(client));
    }
    write_to(client, std::string(64, 'x'));
    lines.push_back(read_line(client));
    ::close(client);
  });
  REQUIRE(whole_answer(lines[0]));
  REQUIRE(lines[1].find("unknown request") != std::string::npos);
  REQUIRE(whole_answer(lines[2]));
  REQUIRE(lines[3] == "(end)");
  block_on(where, server.close());
}

TEST_CASE("closing hangs up on everybody and leaves no file, descriptor or frame") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  auto const before = open_descriptors();
  auto const frames = where.frames();
  auto server = open_server(where, on, place.socket());
  struct stat found {};
  REQUIRE(::lstat(place.socket().c_str(), &found) == 0);
  REQUIRE((found.st_mode & 07777) == 0700);
  int silent = -1;
  serve_while(where, [&] {
    silent = connected(place.socket());
    (void)ask(place.socket());
  });
  block_on(where, server.close());
  REQUIRE(read_line(silent) == "(end)");
  ::close(silent);
  REQUIRE(!exists(place.socket()));
  REQUIRE(open_descriptors() == before);
  REQUIRE(where.frames() == frames);
}

TEST_CASE("a file that nobody listens at is replaced, anything else is left alone") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  leave_stale(place.socket());
  auto server = open_server(where, on, place.socket());
  REQUIRE(stats_server::open(where, on, place.socket()).ec == errc::address_in_use);
  std::string line;
  serve_while(where, [&] { line = ask(place.socket()); });
  REQUIRE(whole_answer(line));
  block_on(where, server.close());

  int const file = ::open(place.socket().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ::close(file);
  REQUIRE(stats_server::open(where, on, place.socket()).ec == errc::address_in_use);
  REQUIRE(exists(place.socket()));
}

TEST_CASE("a file that somebody else put in its place is not removed") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  auto server = open_server(where, on, place.socket());
  ::unlink(place.socket().c_str());
  leave_stale(place.socket());
  block_on(where, server.close());
  REQUIRE(exists(place.socket()));
}

TEST_CASE("paths that cannot be") {
  loop where;
  node on = open(where, inside_only());
  REQUIRE(stats_server::open(where, on, "").ec == errc::invalid_address);
  REQUIRE(stats_server::open(where, on, std::string(108, 'x')).ec == errc::invalid_address);
  REQUIRE(stats_server::open(where, on, "/no/such/directory/stats").ec == std::errc::no_such_file_or_directory);
  REQUIRE(stats_server::open(where, node(), "stats").ec == errc::closed);
}

TEST_CASE("a silent client is let go, and then the next is served") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  stats_server_options options;
  options.clients = 1;
  options.idle = 20ms;
  auto server = open_server(where, on, place.socket(), options);
  std::string first, second;
  serve_while(where, [&] {
    int const silent = connected(place.socket());
    second = ask(place.socket());
    first = read_line(silent);
    ::close(silent);
  });
  REQUIRE(whole_answer(second));
  REQUIRE(first == "(end)");
  block_on(where, server.close());
}

TEST_CASE("more clients than are served at once are all served") {
  own_directory const place;
  loop where;
  node on = open(where, inside_only());
  stats_server_options options;
  options.clients = 2;
  auto server = open_server(where, on, place.socket(), options);
  int good = 0;
  serve_while(where, [&] {
    std::vector<int> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(connected(place.socket()));
    for (int const each : clients) write_to(each, "tables\n");
    for (int const each : clients) {
      good += whole_answer(read_line(each)) ? 1 : 0;
      ::close(each);
    }
  });
  REQUIRE(good == 12);
  block_on(where, server.close());
}

TEST_CASE("another user is not served, even where the file's mode would let it in") {
  if (::geteuid() != 0) {
    std::puts("not run: only root can become another user");
    std::exit(77);
  }
  own_directory const place;
  ::chmod(place.path().c_str(), 0755);
  loop where;
  node on = open(where, inside_only());
  auto server = open_server(where, on, place.socket());
  ::chmod(place.socket().c_str(), 0777);
  int status = -1;
  serve_while(where, [&] {
    pid_t const stranger = ::fork();
    if (stranger == 0) {
      if (::setuid(65534) != 0) ::_exit(2);
      ::_exit(ask(place.socket()) == "(end)" ? 0 : 1);
    }
    ::waitpid(stranger, &status, 0);
  });
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  block_on(where, server.close());
}
