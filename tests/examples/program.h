#pragma once
// Runs one of our programs as a process of its own, in a folder for the test.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "../io/temporary_folder.h"

namespace reprise::testing {

/// The path of a program, empty where it was not built.
inline std::string program_path(const std::string& name) {
  const char* folder = std::getenv("REPRISE_PROGRAMS");
  const std::string path = std::string(folder == nullptr ? "." : folder) + "/" + name;
  std::error_code error;
  return std::filesystem::exists(path, error) ? std::filesystem::absolute(path).string() : "";
}

/// The folder of a data set, empty where there is none.
inline std::string shared_data(const std::string& name) {
  const char* shared = std::getenv("REPRISE_SHARED");
  const std::string path = std::string(shared == nullptr ? "" : shared) + "/data/" + name;
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? path : "";
}

struct Outcome {
  int exit_code = -1;  ///< -1 when a signal ended it
  std::string out, err;
};

/// A process that was started in `folder`; its output goes to files there, or stderr to a terminal.
class Process {
 public:
  Process(const TemporaryFolder& folder, const std::string& program,
          const std::vector<std::string>& arguments, bool terminal = false)
      : folder_(folder) {
    int slave = -1;
    if (terminal && ::openpty(&terminal_, &slave, nullptr, nullptr, nullptr) != 0) {
      throw std::runtime_error("no terminal for the test");
    }
    pid_ = ::fork();
    if (pid_ == 0) execute(program, arguments, slave);
    if (slave >= 0) ::close(slave);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), wait();
  }

  std::string out() const { return read_file(folder_ / "out.txt"); }
  void interrupt() const { ::kill(pid_, SIGINT); }
  /// Waits until stdout has `text`; false when the process did not say so within a minute.
  bool says(const std::string& text) const {
    for (int i = 0; i < 6000; ++i) {
      if (out().find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  Outcome wait() {
    Outcome outcome;
    if (terminal_ >= 0) outcome.err = read_terminal();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
    outcome.out = out();
    if (terminal_ < 0)
      outcome.err = read_file(folder_ / "err.txt");
    else
      ::close(terminal_);
    return outcome;
  }

 private:
  [[noreturn]] void execute(const std::string& program, const std::vector<std::string>& arguments,
                            int slave) const {
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
    const int err = slave >= 0 ? slave : ::open((folder_ / "err.txt").c_str(), kFlags, 0600);
    ::dup2(::open((folder_ / "out.txt").c_str(), kFlags, 0600), STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    if (::chdir(folder_.path().c_str()) == 0) ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  /// All that the process writes to the terminal; reading fails once it has ended.
  std::string read_terminal() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = ::read(terminal_, buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }

  const TemporaryFolder& folder_;
  int terminal_ = -1;
  pid_t pid_ = -1;
};

}  // namespace reprise::testing
