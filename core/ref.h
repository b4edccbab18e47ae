#pragma once
// Intrusive reference counting: one allocation per object and one word per handle. A counted class
// needs no vtable; a base class of counted ones has a virtual destructor of its own.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "error.h"

namespace reprise {

template <class T>
class Ref;

/// `class Storage : public RefCounted<Storage>`. A new object has one owner, which make_ref adopts.
/// A class that must not die recursively hides `destroy` by a static one of its own. A class whose
/// objects are also reached through plain pointers (see Ref::if_alive) declares `kObserved`.
template <class T>
class RefCounted {
 public:
  /// How many handles own this object; other threads may change it at any time.
  int64_t use_count() const noexcept { return count_.load(std::memory_order_acquire); }
  static void destroy(T* object) noexcept { delete object; }

 protected:
  RefCounted() = default;
  RefCounted(const RefCounted&) noexcept {}  // the count belongs to the object, not to its value
  RefCounted& operator=(const RefCounted&) noexcept { return *this; }
  ~RefCounted() = default;

 private:
  template <class>
  friend class Ref;
  void retain() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  bool retain_if_alive() const noexcept {
    int64_t count = count_.load(std::memory_order_relaxed);
    while (count != 0 &&
           !count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) {
    }
    return count != 0;
  }
  void release() const noexcept {
    if (is_only_owner() || count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      T::destroy(const_cast<T*>(static_cast<const T*>(this)));
    }
  }
  /// The only owner needs no locked instruction, unless observers may become owners meanwhile.
  bool is_only_owner() const noexcept {
    if constexpr (requires { T::kObserved; }) {
      return false;
    } else {
      return count_.load(std::memory_order_acquire) == 1;
    }
  }

  mutable std::atomic<int64_t> count_{1};
};

/// An owning handle, or null. Different handles of one object may be used by different threads.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) noexcept {}
  /// Becomes one more owner of `object`, which may be null.
  explicit Ref(T* object) noexcept : object_(object) { retain(); }
  Ref(const Ref& other) noexcept : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(other.release()) {}
  template <class U>
  requires std::convertible_to<U*, T*> Ref(const Ref<U>& other)
  noexcept : object_(other.get()) { retain(); }
  template <class U>
  requires std::convertible_to<U*, T*> Ref(Ref<U>&& other)
  noexcept : object_(other.release()) {}
  Ref& operator=(Ref other) noexcept {
    swap(other);
    return *this;
  }
  ~Ref() {
    if (object_) object_->release();
  }

  /// Takes over an ownership that the caller holds already; `release` hands one out.
  static Ref adopt(T* object) noexcept {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  /// One more owner of an object that others may be letting go; null when it dies already. Its
  /// memory must still be there: the object's destructor takes the same lock as the caller.
  static Ref if_alive(T* object) noexcept {
    return object->retain_if_alive() ? adopt(object) : Ref();
  }
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }
  void reset() noexcept { Ref().swap(*this); }
  void swap(Ref& other) noexcept { std::swap(object_, other.object_); }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  template <class U>
  bool operator==(const Ref<U>& other) const noexcept {
    return object_ == other.get();
  }
  bool operator==(std::nullptr_t) const noexcept { return object_ == nullptr; }

 private:
  void retain() const noexcept {
    if (object_) object_->retain();
  }

  T* object_ = nullptr;
};

/// A new object with one owner. OutOfMemory error when there is no room for it.
template <class T, class... Args>
[[nodiscard]] Ref<T> make_ref(Args&&... args) {
  T* object = new (std::nothrow) T(std::forward<Args>(args)...);
  if (!object) fail(ErrorKind::OutOfMemory, "no memory for an object of ", sizeof(T), " bytes");
  return Ref<T>::adopt(object);
}

}  // namespace reprise
