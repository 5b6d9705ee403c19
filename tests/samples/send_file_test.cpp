// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a file whose connection broke on the way is stored in part, or never.
// Forced by: a fake fabric that breaks the connection behind the first piece of the file, or before the sender hears that all is there;
// with memory windows and without.

#include "samples/send_file/transfer.hpp"
#include "verbs/fake_nodes.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace rdsco;
using namespace rdsco::test;

struct two_files {
  two_files() { std::filesystem::create_directory(directory); }
  two_files(two_files const&) = delete;
  two_files& operator=(two_files const&) = delete;
  ~two_files() { std::filesystem::remove_all(directory); }

  std::filesystem::path directory = std::filesystem::temp_directory_path() / ("rdsco_send_file." + std::to_string(getpid()));
  std::string source = directory / "source", sink = directory / "sink";
};

std::vector<std::byte> content_of(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  std::string const text{std::istreambuf_iterator<char>(file), {}};
  auto const bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

struct outcome {
  std::size_t received = 0;
  int begun = 0;
};

task<> receive(rdsco::socket& at, std::string path, outcome& told) { told.received = co_await receive_file(at, std::move(path), 1u << 24); }
task<> send(rdsco::socket& from, endpoint to, std::string path, outcome& told) { told.begun = co_await send_file(from, to, std::move(path)); }

}  // namespace

TEST_CASE("send_file: a file arrives whole, though its connection breaks") {
  bool const windows = GENERATE(true, false);
  two_on<fake_ib> w({}, {}, [=](fake_fabric& on) { on.rules.windows = windows; });
  two_files files;
  auto const content = pattern(3, 3'000'001);
  std::ofstream(files.source, std::ios::binary).write(reinterpret_cast<char const*>(content.data()), static_cast<std::streamsize>(content.size()));
  bool broken = false;
  auto const break_once = [&] {
    if (!std::exchange(broken, true)) w.fabric.break_connections(w.from.local().host, w.into.local().host);
  };
  bool const in_the_middle = GENERATE(true, false);
  if (in_the_middle) w.fabric.on_remote = [&](ibv_send_wr const&) { break_once(); };
  if (!in_the_middle)
    w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const> bytes) {
      if (as_text(bytes).ends_with("done")) break_once();
    };
  outcome told;
  task_group both(w.where);
  both.spawn(receive(w.into, files.sink, told));
  both.spawn(send(w.from, w.into.local(), files.source, told));
  block_on(w.where, joined(both));
  w.fabric.on_remote = nullptr;
  w.fabric.on_message = nullptr;
  CHECK(broken);
  CHECK(told.received == content.size());
  CHECK(told.begun >= 1);
  CHECK((told.begun == 2 || !in_the_middle));
  CHECK(content_of(files.sink) == content);
  CHECK(content_of(files.source) == content);
}
