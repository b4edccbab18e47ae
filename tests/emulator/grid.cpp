// A grid on the host: the threads of a block are coroutines that give way at barriers and in warp
// exchanges. Every other launch runs blocks and threads backwards, so that what depends on their
// order shows.

#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "calls.h"
#include "device.h"
#include "queue.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

/// x86-64: keeps the registers that calls preserve on the stack, its top in *mine, and goes on with
/// the stack whose top is `other`. (swapcontext also saves signals, by system calls.)
extern "C" void reprise_emulator_switch(void** mine, void* other);

asm(R"(
.text
.type reprise_emulator_switch, @function
reprise_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size reprise_emulator_switch, .-reprise_emulator_switch
)");
constexpr int kSavedWords = 8, kEntryWord = 6;  // entry finds its stack as after a call

thread_local uint3 threadIdx, blockIdx;
thread_local dim3 blockDim, gridDim;

namespace reprise::cuda {
inline constexpr size_t kSharedBytes = 227 << 10;  // as on compute capability 9.0
extern thread_local uint4 shared_memory[];
alignas(128) thread_local uint4 shared_memory[kSharedBytes / sizeof(uint4)];
}  // namespace reprise::cuda

namespace reprise::emulator {
namespace {

constexpr size_t kStackBytes = 128 << 10;

enum class State : uint8_t { ready, at_block, at_warp, done };

struct Coroutine {
  std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
  void* top = nullptr;  // of the stack while it waits
  void* sanitizer_stack = nullptr;
};

struct Thread {
  State state = State::ready;
  unsigned mask = 0;  // of the warp barrier it waits at
  uint64_t given = 0;
  std::unique_ptr<Coroutine> coroutine;
};

/// A stack on which the first switch calls `entry`, which never returns.
void prepare(Coroutine& c, void (*entry)()) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(c.stack.get(), kStackBytes);  // what the last thread left
#endif
  c.sanitizer_stack = nullptr;
  auto top = reinterpret_cast<uintptr_t>(c.stack.get() + kStackBytes) & ~uintptr_t{15};
  top -= kSavedWords * sizeof(void*);
  c.top = reinterpret_cast<void*>(top);
  std::memset(c.top, 0, kSavedWords * sizeof(void*));
  static_cast<void (**)()>(c.top)[kEntryWord] = entry;
}

/// Tells AddressSanitizer which stack is used, around a switch.
void before_switch([[maybe_unused]] void** kept, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(kept, stack, bytes);
#endif
}
void after_switch([[maybe_unused]] void* kept, [[maybe_unused]] const void** from,
                  [[maybe_unused]] size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(kept, from, bytes);
#endif
}

class Block {
 public:
  Block(const std::function<void()>& body, size_t threads) : body_(body), threads_(threads) {}

  /// False when threads wait for others that never come.
  bool run(bool backwards);
  void wait(State state, unsigned mask);
  uint64_t exchange(unsigned mask, uint64_t mine, int from);
  static Block*& current() {
    static thread_local Block* block = nullptr;
    return block;
  }

 private:
  static void enter();
  static std::vector<std::unique_ptr<Coroutine>>& spare() {
    static thread_local std::vector<std::unique_ptr<Coroutine>> coroutines;
    return coroutines;
  }
  void resume(size_t i);
  void give_way(bool finished);
  void release();
  void release_warp(size_t first);

  const std::function<void()>& body_;
  std::vector<Thread> threads_;
  size_t running_ = 0;
  void* scheduler_ = nullptr;  // top of its stack
  void* scheduler_kept_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_bytes_ = 0;
  bool finished_ = false;
  std::exception_ptr error_;
};

bool Block::run(bool backwards) {
  Block* const outer = std::exchange(current(), this);
  size_t done = 0;
  bool moved = true;
  while (done < threads_.size() && moved) {
    moved = false;
    for (size_t k = 0; k < threads_.size(); ++k) {
      const size_t i = backwards ? threads_.size() - 1 - k : k;
      if (threads_[i].state != State::ready) continue;
      resume(i);
      moved = true;
      done += threads_[i].state == State::done;
    }
    release();
    for (const Thread& t : threads_) moved |= t.state == State::ready;
  }
  current() = outer;
  if (error_) std::rethrow_exception(error_);
  return done == threads_.size();
}

void Block::resume(size_t i) {
  running_ = i;
  const auto index = static_cast<unsigned>(i);
  threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y,
               index / blockDim.x / blockDim.y};
  Thread& thread = threads_[i];
  if (thread.coroutine == nullptr) {
    if (spare().empty()) spare().push_back(std::make_unique<Coroutine>());
    thread.coroutine = std::move(spare().back());
    spare().pop_back();
    prepare(*thread.coroutine, &Block::enter);
  }
  finished_ = false;
  before_switch(&scheduler_kept_, thread.coroutine->stack.get(), kStackBytes);
  reprise_emulator_switch(&scheduler_, thread.coroutine->top);
  after_switch(scheduler_kept_, nullptr, nullptr);
  if (!finished_) return;
  thread.state = State::done;
  spare().push_back(std::move(thread.coroutine));
}

void Block::enter() {
  Block& block = *current();
  after_switch(nullptr, &block.scheduler_stack_, &block.scheduler_bytes_);
  try {
    block.body_();
  } catch (...) {
    block.error_ = std::current_exception();
  }
  block.give_way(true);
}

void Block::give_way(bool finished) {
  Coroutine& c = *threads_[running_].coroutine;
  finished_ = finished;
  before_switch(finished ? nullptr : &c.sanitizer_stack, scheduler_stack_, scheduler_bytes_);
  reprise_emulator_switch(&c.top, scheduler_);
  after_switch(c.sanitizer_stack, &scheduler_stack_, &scheduler_bytes_);
}

void Block::wait(State state, unsigned mask) {
  threads_[running_].state = state;
  threads_[running_].mask = mask;
  give_way(false);
}

/// Lets threads go on whose barrier is complete.
void Block::release() {
  bool all = true;
  for (const Thread& t : threads_) all &= t.state == State::at_block || t.state == State::done;
  for (Thread& t : threads_) {
    if (all && t.state == State::at_block) t.state = State::ready;
  }
  for (size_t first = 0; first < threads_.size(); first += kLanes) release_warp(first);
}

void Block::release_warp(size_t first) {
  const size_t lanes = std::min<size_t>(kLanes, threads_.size() - first);
  const unsigned existing = lanes == kLanes ? ~0U : (1U << lanes) - 1;
  const auto wait_for = [&](unsigned mask) {
    unsigned waiting = 0;
    for (size_t i = 0; i < lanes; ++i) {
      const Thread& t = threads_[first + i];
      if (t.state == State::at_warp && t.mask == mask) waiting |= 1U << i;
    }
    return waiting == (mask & existing);
  };
  unsigned go = 0;
  for (size_t i = 0; i < lanes; ++i) {
    const Thread& t = threads_[first + i];
    if (t.state == State::at_warp && (go >> i & 1U) == 0 && wait_for(t.mask)) go |= t.mask;
  }
  for (size_t i = 0; i < lanes; ++i) {
    Thread& t = threads_[first + i];
    if (go >> i & 1U && t.state == State::at_warp) t.state = State::ready;
  }
}

uint64_t Block::exchange(unsigned mask, uint64_t mine, int from) {
  const size_t me = running_, first = me / kLanes * kLanes;
  threads_[me].given = mine;
  wait(State::at_warp, mask);
  const size_t source = first + static_cast<size_t>(from);
  const uint64_t theirs = source < threads_.size() ? threads_[source].given : mine;
  wait(State::at_warp, mask);
  return theirs;
}

cudaError_t run_grid(const cudaLaunchConfig_t& config, const std::function<void()>& body) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  static thread_local bool backwards = false;
  backwards = !backwards;
  gridDim = grid;
  blockDim = block;
  const size_t blocks = size_t{grid.x} * grid.y * grid.z;
  const size_t threads = size_t{block.x} * block.y * block.z;
  for (size_t k = 0; k < blocks; ++k) {
    const auto b = static_cast<unsigned>(backwards ? blocks - 1 - k : k);
    blockIdx = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
    std::memset(static_cast<void*>(cuda::shared_memory), 0xFF, config.dynamicSmemBytes);
    Block one(body, threads);
    try {
      if (!one.run(backwards)) return cudaErrorLaunchTimeout;
    } catch (cudaError_t error) {
      return error;
    }
  }
  return cudaSuccess;
}

bool is_valid(const cudaLaunchConfig_t& c) {
  const size_t threads = size_t{c.blockDim.x} * c.blockDim.y * c.blockDim.z;
  const bool empty = threads == 0 || c.gridDim.x == 0 || c.gridDim.y == 0 || c.gridDim.z == 0;
  return !empty && threads <= 1024 && c.gridDim.x <= 0x7FFFFFFF && c.gridDim.y <= 65535 &&
         c.gridDim.z <= 65535 && c.dynamicSmemBytes <= cuda::kSharedBytes;
}

/// Bytes of shared memory that launches of a kernel may ask for.
struct SharedLimits {
  std::mutex mutex;
  std::map<const void*, size_t> of;
} limits;

bool may_share(const void* kernel, size_t bytes) {
  const std::lock_guard lock(limits.mutex);
  const auto found = limits.of.find(kernel);
  return bytes <= (found == limits.of.end() ? size_t{48} << 10 : found->second);
}

}  // namespace

void* aligned(const void* p, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) throw cudaErrorMisalignedAddress;
  return const_cast<void*>(p);
}

void wait_for_block() { Block::current()->wait(State::at_block, 0); }
void wait_for_warp(unsigned mask) { Block::current()->wait(State::at_warp, mask); }
uint64_t exchange(unsigned mask, uint64_t mine, int from) {
  return Block::current()->exchange(mask, mine, from);
}
int lane() {
  const unsigned in_block = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  return static_cast<int>(in_block % kLanes);
}

cudaError_t launch_grid(const cudaLaunchConfig_t& config, const void* kernel,
                        std::function<void()> thread) {
  if (refuses("cudaLaunchKernel")) return keep_error(cudaErrorUnknown);
  if (!is_valid(config)) return keep_error(cudaErrorInvalidConfiguration);
  if (!may_share(kernel, config.dynamicSmemBytes)) return keep_error(cudaErrorInvalidValue);
  return enqueue(config.stream,
                 [config, thread = std::move(thread)] { return run_grid(config, thread); });
}

}  // namespace reprise::emulator

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorNotSupported;
  const std::lock_guard lock(reprise::emulator::limits.mutex);
  return reprise::emulator::limits.of[kernel] = static_cast<size_t>(value), cudaSuccess;
}
