// Pictures by the program `dot`, run without a shell. It reads and writes files that have no name,
// so neither side ever waits for the other.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "../core/error.h"
#include "graphviz.h"

extern char** environ;

namespace reprise::detail {
namespace {

class ScratchFile {
 public:
  ScratchFile() : file_(std::tmpfile()) {
    const int reason = errno;
    check(file_ != nullptr, ErrorKind::Io,
          "draw_graph: no temporary file: ", std::strerror(reason));
  }
  int number() const { return ::fileno(file_.get()); }

  void write(const std::string& words) {
    const bool good = std::fwrite(words.data(), 1, words.size(), file_.get()) == words.size() &&
                      std::fflush(file_.get()) == 0;
    check(good, ErrorKind::Io, "draw_graph: the temporary file cannot be written");
    std::rewind(file_.get());
  }
  std::string read() {
    std::rewind(file_.get());
    std::string out;
    std::array<char, 4096> buffer;
    for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), file_.get())) > 0;) {
      out.append(buffer.data(), n);
    }
    return out;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

/// An errno.
int spawn_dot(const std::string& option, const std::array<int, 3>& streams, pid_t& process) {
  posix_spawn_file_actions_t actions;
  if (const int error = ::posix_spawn_file_actions_init(&actions)) return error;
  for (int i = 0; i < 3; ++i) ::posix_spawn_file_actions_adddup2(&actions, streams[i], i);
  std::string name = "dot", argument = option;
  std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
  const int error =
      ::posix_spawnp(&process, name.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// Whether it ended with 0.
bool succeeds(pid_t process) {
  int status = 0;
  pid_t ended;
  do {
    ended = ::waitpid(process, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string render_with_program(const std::string& dot, const std::string& format) {
  ScratchFile in, out, err;
  in.write(dot);
  pid_t process = 0;
  const int error = spawn_dot("-T" + format, {in.number(), out.number(), err.number()}, process);
  check(error == 0, ErrorKind::Io, "draw_graph: making ", format,
        " needs Graphviz, whose program `dot` cannot be run (", std::strerror(error),
        "): install it, e.g. apt-get install graphviz");
  const bool good = succeeds(process);
  std::string picture = out.read();
  if (!good || picture.empty()) graphviz_failed(format, err.read());
  return picture;
}

}  // namespace reprise::detail
