// Damaged texts of graphs must be refused with an Error, or be graphs. Half of the changes put
// pieces of other lines in, so that much of it still parses and infer sees odd operands.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "../../graph/op_text.h"
#include "../../graph/text.h"
#include "../../graph/verify.h"
#include "text_graphs.h"

namespace reprise {
namespace {

/// Most ops, on operands that may be taken for those of others.
constexpr std::string_view kCalls = R"(%a = input : float32[2, 4, 6, 6]
%b = input : float32[4, 4, 3, 3]
%c = input : float32[4]
%i = input : int64[2, 4, 3, 3]
%m = input : float32[6, 6 : 1, 6]
%p = input : bool[6, 6]
%n = capture : int64[]
%r = capture : float32[4]
%v = capture : float32[4]
%k = input : int64[2]
%w = capture : float32[4]
%z = capture : float32[0]
%s = capture : float64[]
%l = input : float64[]
%1 = conv2d(%a, %b, %c) {stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1} : float32[2, 4, 6, 6]
%2 = conv2d_input_grad(%1, %b) {stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1, size=[6, 6]} : float32[2, 4, 6, 6]
%3 = conv2d_weight_grad(%1, %a) {stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1, size=[3, 3]} : float32[4, 4, 3, 3]
%4, %5 = max_pool2d(%a) {kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=false} : float32[2, 4, 3, 3], int64[2, 4, 3, 3]
%6 = max_pool2d_grad(%4, %5) {kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=false, size=[6, 6]} : float32[2, 4, 6, 6]
%7 = max_pool2d_gather(%a, %i) {kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=false} : float32[2, 4, 3, 3]
%8 = avg_pool2d(%a) {kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], ceil_mode=true, count_include_pad=true, divisor_override=0} : float32[2, 4, 3, 3]
%9 = avg_pool2d_grad(%8) {kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], ceil_mode=true, count_include_pad=true, divisor_override=0, size=[6, 6]} : float32[2, 4, 6, 6]
%10, %11, %12 = batch_norm(%a, %c, %c, %r -> %13, %v -> %14, %n -> %15) {momentum=0.1, eps=1e-05} : float32[2, 4, 6, 6], float32[4], float32[4]
%16, %17, %18 = batch_norm_grad(%1, %a, %c, %11, %12) : float32[2, 4, 6, 6], float32[4], float32[4]
%19 = matmul(%m, %m) : float32[6, 6]
%20 = linear(%m, %m) : float32[6, 6]
%21 = sum(%m) {dims=[1], keepdim=false} : float32[6]
%22, %23 = max(%m) {dim=0, keepdim=true, largest=false} : float32[1, 6], int64[1, 6]
%24 = gather(%m, %23) {dim=0} : float32[1, 6]
%25 = gather_grad(%24, %23) {dim=0, shape=[6, 6]} : float32[6, 6]
%26 = softmax(%m) {dim=1} : float32[6, 6]
%27 = cat(%m, %19, %m) {dim=1} : float32[6, 18]
%28 = view(%a) {shape=[8, 36]} : float32[8, 36]
%29 = permute(%a) {dims=[3, 0, 2, 1]} : float32[6, 2, 6, 4 : 1, 144, 6, 36]
%30 = expand(%c) {shape=[5, 4]} : float32[5, 4 : 0, 1]
%31 = slice(%a) {dim=1, start=1, size=2, step=2} : float32[2, 2, 6, 6 : 144, 72, 6, 1]
%32 = slice_grad(%31) {dim=1, start=1, size=2, step=2, full=4} : float32[2, 4, 6, 6]
%33 = where(%p, %m, %19) : float32[6, 6]
%34 = copy(%i) {dtype=float32} : float32[2, 4, 3, 3]
%35 = arange() {start=0, step=0.5, size=4, dtype=float32, device=cpu} : float32[4]
%36 = full() {shape=[2, 2], value=nan, dtype=float64, device=cpu} : float64[2, 2]
%37 = random_blocks() {count=4, device=cpu} : int64[2]
%38 = random(%37) {shape=[4], dtype=float32, normal=true, low=0, high=1} : float32[4]
%39 = dropout(%m, %k) {p=0.5} : float32[6, 6]
%40 = fused(%m, %19) {steps=[add(0, 1), relu(2), copy {dtype=float64}(3)], results=[4]} : float64[6, 6]
sgd_step(%l, %w -> %41, %c, %z -> %42, %s -> %43) {momentum=0, dampening=0, weight_decay=0, nesterov=false}
update %r = %13
update %v = %14
update %n = %15
update %w = %41
update %z = %42
update %s = %43
return %10, %1
)";

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  std::string operator()(std::string text) {
    for (size_t i = 1 + below(3); i > 0; --i) text = change(std::move(text));
    return text;
  }

 private:
  using Lines = std::vector<std::string>;

  size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }

  std::string change(std::string text) {
    switch (below(8)) {
      case 0: return flip(std::move(text));
      case 1: return text.erase(below(text.size()), 1 + below(5));
      case 2: return text.substr(0, below(text.size()));
      case 3: return on_lines(text, [this](Lines& l) { l.insert(at(l), *at(l)); });
      case 4: return on_lines(text, [this](Lines& l) { l.erase(at(l)); });
      case 5: return on_lines(text, [this](Lines& l) { std::swap(*at(l), *at(l)); });
      case 6: return text.replace(below(text.size()), 0, number());
      default: return swap_pieces(std::move(text));
    }
  }

  std::string flip(std::string text) {
    if (!text.empty()) text[below(text.size())] = static_cast<char>(below(256));
    return text;
  }

  Lines::iterator at(Lines& lines) {
    return lines.begin() + static_cast<ptrdiff_t>(below(lines.size()));
  }

  template <class F>
  std::string on_lines(const std::string& text, F f) {
    Lines lines;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      lines.push_back(text.substr(begin, end - begin + 1));
      begin = end + 1;
    }
    if (!lines.empty()) f(lines);
    std::string out;
    for (const std::string& line : lines) out += line;
    return out;
  }

  std::string number() {
    constexpr std::array<std::string_view, 10> numbers{
        "0",  "9223372036854775807", "-9223372036854775808", "1099511627776", "4294967296", "1e308",
        "-1", "2147483647",          "99999999999999999999", "None"};
    return std::string(numbers[below(numbers.size())]);
  }

  /// A maximal run of letters, digits and their like.
  static std::pair<size_t, size_t> piece(const std::string& text, size_t at) {
    const auto inside = [&](size_t i) { return detail::is_word(text.substr(i, 1)); };
    while (at < text.size() && !inside(at)) ++at;
    size_t end = at;
    while (at > 0 && inside(at - 1)) --at;
    while (end < text.size() && inside(end)) ++end;
    return {at, end - at};
  }

  /// Puts the piece of one place, or a number, in the place of another.
  std::string swap_pieces(std::string text) {
    const auto [from, from_size] = piece(text, below(text.size()));
    const auto [to, to_size] = piece(text, below(text.size()));
    return text.replace(to, to_size, below(3) == 0 ? number() : text.substr(from, from_size));
  }

  std::mt19937_64 random_;
};

/// How many of the damaged texts were graphs, and sound ones.
struct Counts {
  int parsed = 0, verified = 0;
};

Counts fuzz(const std::string& text, int rounds, uint64_t seed) {
  Mutator mutate(seed);
  Counts counts;
  for (int i = 0; i < rounds; ++i) {
    const std::string damaged = mutate(text);
    try {
      const Graph g = parse(damaged);
      ++counts.parsed;
      EXPECT_TRUE(parse(to_string(g)) == g) << damaged;
      verify(g);
      ++counts.verified;
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::Internal) << error.what() << "\n" << damaged;
    }
  }
  return counts;
}

TEST(GraphTextFuzz, DamagedTextIsAGraphOrAnError) {
  const std::string calls(kCalls);
  verify(parse(calls));
  for (const std::string& text :
       {to_string(test::small_graph()), to_string(test::large_graph()), calls}) {
    const Counts counts = fuzz(text, 3000, text.size());
    EXPECT_GT(counts.parsed, 30);
    EXPECT_GT(counts.verified, 10);
  }
}

TEST(LongGraphTextFuzz, DamagedTextIsAGraphOrAnError) { fuzz(std::string(kCalls), 300'000, 11); }

}  // namespace
}  // namespace reprise
