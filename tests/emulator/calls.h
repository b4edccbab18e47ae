#pragma once
// What is asked of the emulated runtime: tests count the calls and have one of them fail.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#define REPRISE_EMULATED_CALL \
  if (::reprise::emulator::refuses(__func__)) return keep_error(cudaErrorUnknown)

namespace reprise::emulator {

/// The names of the calls that f makes: those that allocate, queue, wait or capture.
std::vector<std::string> calls_of(const std::function<void()>& f);

/// The n-th such call from now on fails, n from 1; 0: none.
void refuse_call(int64_t n);
/// Whether it came to that; from now on none fails.
bool was_refused();

/// How many kernels, copies and fills there were.
int64_t work_queued();

/// At the beginning of a call: whether it is to fail.
bool refuses(const char* call);

}  // namespace reprise::emulator
