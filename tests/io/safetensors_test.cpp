#include "../../io/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "../../core/allocator.h"
#include "../../core/ops.h"
#include "expect_error.h"
#include "temporary_folder.h"

namespace reprise {
namespace {

using testing::expect_error;
using testing::read_file;
using testing::TemporaryFolder;

/// The bytes of a file with that header and as many zeros as values.
std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t size = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + std::string(data_bytes, '\0');
}

NamedTensors one_of_each_type() {
  return {{"f32", tensor({{1.5, -2.0, 3.25}, {4, 5, 6}})},
          {"f64", tensor({0.1, 0.2}, {.dtype = float64})},
          {"i64", tensor({int64_t{1} << 40, -7}, {.dtype = int64})},
          {"i32", tensor({1, -2, 3}, {.dtype = int32})},
          {"f16", tensor({1.5, -65504.0, 6e-8}, {.dtype = float16})},
          {"bf16", tensor({{1.5}, {-3e38}}, {.dtype = bfloat16})},
          {"u8", tensor({0, 255}, {.dtype = uint8})},
          {"bool", tensor({true, false, true})},
          {"scalar", full({}, 2.5)},
          {"empty", zeros({0, 3})}};
}

TEST(Safetensors, RoundTripOfEveryType) {
  const TemporaryFolder folder;
  const NamedTensors saved = one_of_each_type();
  save_safetensors(folder / "a.safetensors", saved, {{"format", "pt"}, {"ключ", "значение"}});
  const SafeTensors loaded = load_safetensors(folder / "a.safetensors");
  EXPECT_EQ(loaded.tensors.size(), saved.size());
  EXPECT_EQ(loaded.metadata, (Metadata{{"format", "pt"}, {"ключ", "значение"}}));
  for (const auto& [name, x] : saved) {
    const Tensor& y = loaded.at(name);
    EXPECT_EQ(y.dtype(), x.dtype()) << name;
    EXPECT_EQ(y.shape(), x.shape()) << name;
    EXPECT_EQ(y.to_vector<double>(), x.to_vector<double>()) << name;
  }
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(Safetensors, ViewsAreWrittenDense) {
  const TemporaryFolder folder;
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, {.dtype = float32});
  save_safetensors(folder / "a", {{"t", x.t()}, {"e", x.slice(1, 2).expand({2, 2})}});
  const SafeTensors loaded = load_safetensors(folder / "a");
  EXPECT_EQ(loaded.at("t").to_vector<int>(), (std::vector<int>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(loaded.at("e").to_vector<int>(), (std::vector<int>{3, 3, 6, 6}));
}

TEST(Safetensors, BytesAreThoseOfTheFormat) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {{"x", tensor({1.0})}});
  std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string expected = file_of(header, 4);
  expected.replace(expected.size() - 4, 4, std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(read_file(folder / "a"), expected);
}

TEST(Safetensors, NoTensorsAtAll) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {});
  EXPECT_TRUE(load_safetensors(folder / "a").tensors.empty());
}

TEST(Safetensors, UnknownNameIsAnError) {
  expect_error(ErrorKind::Value, "no tensor \"w\"", [] { SafeTensors().at("w"); });
}

struct BadFile {
  const char *what, *header;
  size_t data_bytes;
};

TEST(Safetensors, BadHeadersAreErrors) {
  const BadFile files[] = {
      {"no JSON object", "[]", 0},
      {"no valid JSON", R"({"x":)", 0},
      {"no valid JSON", "{\"\xff\":1}", 0},
      {"no valid JSON", R"({"x":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}})", 4},
      {"nested too deeply", R"({"x":{"shape":[[[[[[1]]]]]]}})", 0},
      {"\"x\" twice", R"({"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":1})", 0},
      {"no JSON object", R"({"x":1})", 0},
      {"no dtype", R"({"x":{"shape":[1],"data_offsets":[0,4]}})", 4},
      {"no shape", R"({"x":{"dtype":"F32","data_offsets":[0,4]}})", 4},
      {"no data_offsets", R"({"x":{"dtype":"F32","shape":[1]}})", 4},
      {"dtype \"F8_E5M2\"", R"({"x":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,4]}})", 4},
      {"no list", R"({"x":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4},
      {"no integer", R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4},
      {"no integer", R"({"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4},
      {"no integer", R"({"x":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}})",
       4},
      {"at most 8", R"({"x":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1},
      {"63 bits", R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
       4},
      {"63 bits", R"({"x":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})",
       0},
      {"no pair", R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4},
      {"outside", R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4},
      {"outside", R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 4},
      {"does not fill", R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4},
      {"a hole", R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2},
      {"inside of",
       R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3},
      {"end at byte", R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2},
      {"is no string", R"({"__metadata__":{"a":1}})", 0},
      {"no JSON object", R"({"__metadata__":[]})", 0},
  };
  const TemporaryFolder folder;
  for (const BadFile& file : files) {
    const std::string path = folder.write("bad", file_of(file.header, file.data_bytes));
    expect_error(ErrorKind::Format, file.what, [&] { load_safetensors(path); });
    expect_error(ErrorKind::Format, path + ": ", [&] { load_safetensors(path); });
  }
}

TEST(Safetensors, HeaderSizeIsCapped) {
  const TemporaryFolder folder;
  const std::string path = folder.write("bad", std::string(8, '\x7f') + "{}");
  expect_error(ErrorKind::Format, "at most 100000000 are allowed", [&] { load_safetensors(path); });
}

TEST(Safetensors, DeepNestingEndsEarly) {
  const TemporaryFolder folder;
  const std::string path = folder.write("bad", file_of(std::string(1000000, '['), 0));
  expect_error(ErrorKind::Format, "nested too deeply", [&] { load_safetensors(path); });
}

TEST(Safetensors, BoolsAreZeroOrOne) {
  const TemporaryFolder folder;
  std::string bytes = file_of(R"({"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  bytes.back() = 2;
  const std::string path = folder.write("bad", bytes);
  expect_error(ErrorKind::Format, "\"mask\"", [&] { load_safetensors(path); });
}

TEST(Safetensors, TruncatedAtEveryByte) {
  const TemporaryFolder folder;
  save_safetensors(folder / "good", one_of_each_type(), {{"a", "b"}});
  const std::string good = read_file(folder / "good");
  const int64_t in_use = memory_stats().in_use;
  for (size_t size = 0; size < good.size(); ++size) {
    const std::string path = folder.write("bad", std::string_view(good).substr(0, size));
    expect_error(ErrorKind::Format, path + ": ", [&] { load_safetensors(path); });
  }
  EXPECT_EQ(memory_stats().in_use, in_use);
}

TEST(Safetensors, FlippedBytesGiveTensorsOrAFormatError) {
  const TemporaryFolder folder;
  save_safetensors(folder / "good", one_of_each_type(), {{"a", "b"}});
  const std::string good = read_file(folder / "good");
  const int64_t in_use = memory_stats().in_use;
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string bad = good;
    for (int flips = 1 + round % 4; flips > 0; --flips) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    try {
      load_safetensors(folder.write("bad", bad));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Format) << error.what();
    }
  }
  EXPECT_EQ(memory_stats().in_use, in_use);
}

TEST(Safetensors, WhatCannotBeRead) {
  const TemporaryFolder folder;
  const auto load = [](const std::string& path) { return [path] { load_safetensors(path); }; };
  expect_error(ErrorKind::Io, folder.path() + ": cannot be read: it is a directory",
               load(folder.path()));
  expect_error(ErrorKind::Io, "none: cannot be read: No such file or directory",
               load(folder / "none"));
  expect_error(ErrorKind::Io, "/dev/null: cannot be read: it is no regular file",
               load("/dev/null"));
  if (::geteuid() == 0) return;  // root reads everything
  const std::string path = folder.write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  expect_error(ErrorKind::Io, "secret: cannot be read: Permission denied", load(path));
}

TEST(Safetensors, WhatCannotBeWritten) {
  const TemporaryFolder folder;
  const auto save = [](const std::string& path) {
    return [path] { save_safetensors(path, one_of_each_type()); };
  };
  expect_error(ErrorKind::Io, "cannot be written: it is a directory", save(folder.path()));
  expect_error(ErrorKind::Io, "cannot be written: No such file", save(folder / "none/a"));
  expect_error(ErrorKind::Io, "cannot be written: it is no regular file", save("/dev/null"));
  EXPECT_EQ(folder.file_count(), 0U);
}

TEST(Safetensors, RefusedTensorsLeaveTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", "old");
  const Tensor x = tensor({1.0});
  const auto refused = [&](const std::string& part, const NamedTensors& tensors) {
    expect_error(ErrorKind::Value, part, [&] { save_safetensors(path, tensors); });
  };
  refused("given twice", {{"x", x}, {"x", x}});
  refused("reserved", {{"__metadata__", x}});
  refused("\"x\" has no data", {{"x", Tensor()}});
  refused("UTF-8", {{"\xff", x}});
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(Safetensors, ReplacesTheFileBehindALink) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", "old");
  std::filesystem::create_symlink(path, folder / "link");
  save_safetensors(folder / "link", {{"x", tensor({1.0})}});
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(load_safetensors(path).tensors.size(), 1U);
}

}  // namespace
}  // namespace reprise
