#pragma once
// A vector whose first N elements need no allocation: argument and result lists of op calls.

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace reprise {

template <class T, size_t N>
class SmallVector {
 public:
  using value_type = T;

  SmallVector() = default;
  SmallVector(std::initializer_list<T> items) : SmallVector(items.begin(), items.end()) {}
  SmallVector(const std::vector<T>& items) : SmallVector(items.begin(), items.end()) {}
  explicit SmallVector(std::span<const T> items) : SmallVector(items.begin(), items.end()) {}
  explicit SmallVector(size_t count) {
    reserve(count);
    for (size_t i = 0; i < count; ++i) emplace_back();
  }
  template <std::forward_iterator It>
  SmallVector(It first, It last) {
    reserve(static_cast<size_t>(std::distance(first, last)));
    for (; first != last; ++first) emplace_back(*first);
  }
  SmallVector(const SmallVector& other) : SmallVector(other.begin(), other.end()) {}
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(SmallVector other) noexcept {
    clear();
    take(other);
    return *this;
  }
  ~SmallVector() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_; }
  const T* data() const { return items_; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }
  T& front() { return items_[0]; }
  const T& front() const { return items_[0]; }
  T& back() { return items_[size_ - 1]; }
  const T& back() const { return items_[size_ - 1]; }

  template <class... A>
  T& emplace_back(A&&... args) {
    if (size_ < capacity_) {
      T* slot = std::construct_at(items_ + size_, std::forward<A>(args)...);
      ++size_;
      return *slot;
    }
    T item(std::forward<A>(args)...);  // made first: an argument may live in the old block
    reserve(2 * capacity_);
    T* slot = std::construct_at(items_ + size_, std::move(item));
    ++size_;
    return *slot;
  }
  void push_back(T item) { emplace_back(std::move(item)); }
  void clear() {
    std::destroy(begin(), end());
    if (items_ != local()) std::allocator<T>().deallocate(items_, capacity_);
    items_ = local();
    size_ = 0;
    capacity_ = N;
  }
  void reserve(size_t count) {
    if (count <= capacity_) return;
    T* block = std::allocator<T>().allocate(count);
    std::uninitialized_move(begin(), end(), block);
    const size_t size = size_;
    clear();
    items_ = block;
    size_ = size;
    capacity_ = count;
  }

  operator std::span<const T>() const { return {items_, size_}; }
  operator std::span<T>() { return {items_, size_}; }
  operator std::vector<T>() const { return {begin(), end()}; }

 private:
  T* local() { return reinterpret_cast<T*>(local_); }
  void take(SmallVector& other) noexcept {
    if (other.items_ == other.local()) {
      std::uninitialized_move(other.begin(), other.end(), local());
      size_ = other.size_;
    } else {
      items_ = std::exchange(other.items_, other.local());
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, N);
    }
    other.clear();
  }

  alignas(T) std::byte local_[N * sizeof(T)];
  T* items_ = local();
  size_t size_ = 0;
  size_t capacity_ = N;
};

}  // namespace reprise
