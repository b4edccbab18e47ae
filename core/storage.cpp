#include "storage.h"

#include "allocator.h"
#include "device_context.h"

namespace reprise {

Storage::Storage(size_t bytes, Device device) : bytes_(bytes), device_(device) {
  if (device.kind == Device::Kind::cpu) [[likely]] {
    data_ = static_cast<std::byte*>(allocate(bytes));
    return;
  }
  check(device.kind == Device::Kind::cuda, ErrorKind::Device, "tensor: there are no bytes on ",
        device);
  const detail::CudaBlock block = detail::allocate_on_cuda(bytes, device);
  data_ = static_cast<std::byte*>(block.data);
  deleter_ = block.deleter;
}

Storage::Storage(void* data, size_t bytes, std::function<void(void*)> deleter, Device device)
    : data_(static_cast<std::byte*>(data)),
      bytes_(bytes),
      device_(device),
      deleter_(std::move(deleter)) {}

Ref<Storage> Storage::traced(size_t bytes, Device device) {
  auto storage = Ref<Storage>::adopt(new Storage);
  storage->bytes_ = bytes;
  storage->device_ = device;
  storage->traced_ = true;
  return storage;
}

Storage::~Storage() {
  if (deleter_) {
    deleter_(data_);
  } else if (data_ != nullptr) {
    deallocate(data_, bytes_);
  }
}

}  // namespace reprise
