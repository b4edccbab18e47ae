#include "storage.h"

#include "allocator.h"

namespace reprise {

Storage::Storage(size_t bytes, Device device) : bytes_(bytes), device_(device) {
  check(device.kind == Device::Kind::cpu, ErrorKind::Device,
        "tensor: this build of Reprise has no memory on device ", device);
  data_ = static_cast<std::byte*>(allocate(bytes));
}

Storage::Storage(void* data, size_t bytes, std::function<void(void*)> deleter)
    : data_(static_cast<std::byte*>(data)), bytes_(bytes), deleter_(std::move(deleter)) {}

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
