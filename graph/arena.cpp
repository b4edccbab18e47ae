#include "arena.h"

#include "../core/device_context.h"

namespace reprise::detail {
namespace {

bool is_gpu(Device device) { return device.kind == Device::Kind::cuda; }

}  // namespace

Ref<Storage> lasting_memory(size_t bytes, Device device) {
  if (!is_gpu(device)) return make_ref<Storage>(bytes, device);
  const cuda::StreamGuard guard(cuda::Stream::default_stream(device.index));
  auto memory = make_ref<Storage>(bytes, device);
  device_context(device, "program").runtime().synchronize(device.index, nullptr);
  return memory;
}

Arena::Arena(const std::vector<ArenaPart>& parts) {
  for (const ArenaPart& part : parts) {
    blocks_.push_back({part, lasting_memory(static_cast<size_t>(part.bytes), part.device)});
  }
}

Arena::~Arena() { settle(); }

std::byte* Arena::at(int64_t offset) const {
  size_t i = 0;
  while (i + 1 < blocks_.size() && offset >= blocks_[i].part.begin + blocks_[i].part.bytes) ++i;
  return blocks_[i].memory->data() + (offset - blocks_[i].part.begin);
}

void Arena::acquire() {
  for (Block& block : blocks_) {
    if (!is_gpu(block.part.device)) continue;
    const cuda::Stream stream = cuda::current_stream(block.part.device.index);
    if (stream.handle() != block.stream || stream.is_adopted()) block.last_run.wait(stream);
    block.stream = stream.handle();
  }
}

void Arena::release() noexcept {
  try {
    for (Block& block : blocks_) {
      if (is_gpu(block.part.device)) {
        block.last_run.record(cuda::current_stream(block.part.device.index));
      }
    }
  } catch (const Error&) {
    // The device has failed, and everything after this says so.
  }
}

void Arena::settle() noexcept {
  try {
    for (Block& block : blocks_) {
      if (!is_gpu(block.part.device) || block.stream == nullptr || !cuda::is_available()) continue;
      block.last_run.wait(cuda::Stream::default_stream(block.part.device.index));
    }
  } catch (const Error&) {
    // As above.
  }
}

}  // namespace reprise::detail
