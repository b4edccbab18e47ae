#include "bad_input.h"

#include <gtest/gtest.h>

#include <cstring>

#include "../../core/allocator.h"

namespace reprise::test {
namespace {

/// The bytes of a tensor's storage and its version.
struct Snapshot {
  std::string bytes;
  uint32_t version = 0;

  explicit Snapshot(const Tensor& x) {
    if (!x.has_data()) return;
    const Storage& storage = *x.impl().storage;
    bytes.assign(reinterpret_cast<const char*>(storage.data()), storage.nbytes());
    version = storage.version();
  }
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

std::vector<Snapshot> snapshots(const std::vector<Tensor>& operands) {
  return {operands.begin(), operands.end()};
}

void expect_throws(const BadInput& row) {
  try {
    row.run(row.operands);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.kind()), to_string(row.kind)) << error.what();
    for (const std::string& part : row.parts) {
      EXPECT_NE(std::strstr(error.what(), part.c_str()), nullptr)
          << '"' << part << "\" is not in: " << error.what();
    }
  }
}

}  // namespace

void expect_refused(const Rows& rows) {
  for (const BadInput& row : rows) {
    SCOPED_TRACE(row.what);
    const auto before = snapshots(row.operands);
    const int64_t in_use = memory_stats().in_use;
    expect_throws(row);
    EXPECT_EQ(memory_stats().in_use, in_use) << "leaked";
    EXPECT_TRUE(snapshots(row.operands) == before) << "changed an operand";
  }
}

}  // namespace reprise::test
