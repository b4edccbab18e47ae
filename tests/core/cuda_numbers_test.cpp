// Numbers of the CPU, tensors without dimensions, beside tensors of a GPU.

#include <functional>

#include "../../core/ops.h"
#include "../../graph/program.h"
#include "expect.h"
#include "fake_device.h"

namespace reprise::test {
namespace {

TEST(FakeCudaNumbers, StandBesideTensorsOfAGpu) {
  const FakeDevices fake;
  Tensor x = tensor({6.0, 8.0}).cuda();
  const Tensor two = tensor(2.0), count = tensor(2);
  expect_tensor(x.add_(two).sub_(count), tensor({6.0, 8.0}));
  expect_tensor((x *= two).div_(tensor(4.0, {.dtype = float64})), tensor({3.0, 4.0}));
  expect_tensor(x %= two, tensor({1.0, 0.0}));
  Tensor number = tensor(5.0).cuda();
  expect_tensor(number += two, tensor(7.0));
  EXPECT_EQ(number.device(), Device::cuda());
  const Tensor holds = tensor({true, false}).cuda(), yes = tensor(true);
  expect_tensor(where(holds, x, two), tensor({1.0, 2.0}));
  expect_tensor(where(holds, two, x), tensor({2.0, 0.0}));
  expect_tensor(where(holds, two, two + 1), tensor({2.0, 3.0}));
  expect_tensor(where(yes, x, two), tensor({1.0, 0.0}));
  expect_tensor(where(yes, number, two), tensor(7.0));
  expect_tensor(pow(two, x), tensor({2.0, 1.0}));
  expect_tensor(maximum(x, two) == two, tensor({true, true}));
  const Tensor leaf = tensor(3.0).cuda().requires_grad_();
  (leaf * leaf).backward(two);
  expect_tensor(leaf.grad(), tensor(12.0));
  const Tensor list = ones({2}), in_place = x.clone();
  Tensor here = two.clone();
  for (const auto& refused : std::initializer_list<std::function<void()>>{
           [&] { x += list; }, [&] { here += leaf.detach(); }, [&] { where(holds, x, list); },
           [&] {
             where(tensor({true, false}), x, two);
           }}) {
    expect_error(refused, ErrorKind::Device, {"cuda:0", "cpu"});
  }
  expect_tensor(x, in_place);
}

TEST(FakeCudaNumbers, AreCopiedInTraces) {
  const FakeDevices fake;
  const Tensor two = tensor(2.0);
  const auto f = [&](const Tensors& x) {
    Tensor y = x[0].cuda();
    y *= two;
    return Tensors{where(y > 0, y, two)};
  };
  const Tensor x = tensor({-1.0, 3.0});
  Program program = compile(f, std::vector<Example>{x});
  for (int i = 0; i < 3; ++i) expect_tensor(program.call(Tensors{x})[0], tensor({2.0, 6.0}));
}

}  // namespace
}  // namespace reprise::test
