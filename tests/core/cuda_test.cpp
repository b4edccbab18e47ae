// core's part of CUDA: on a machine without a device the clear error, and with a fake one
// everything that needs no kernel of CUDA's.

#include "../../core/cuda.h"

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "../../core/compare.h"
#include "../../core/dispatch.h"
#include "../../core/ops/transfer.h"
#include "../../core/random.h"
#include "../../data/datasets.h"
#include "../../graph/text.h"
#include "../../graph/trace.h"
#include "../../layers/model_tools.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "expect.h"
#include "fake_device.h"

namespace reprise::test {
namespace {

using Log = std::vector<std::string>;

struct Entry {
  const char* name;
  std::function<void()> call;
};

std::vector<Entry> entries() {
  return {{"Stream", [] { cuda::Stream{}; }},
          {"adopt", [] { (void)cuda::Stream::adopt(nullptr); }},
          {"current_stream", [] { (void)cuda::current_stream(); }},
          {"record", [] { cuda::Event().record(); }},
          {"query", [] { (void)cuda::Event().query(); }},
          {"synchronize event", [] { cuda::Event().synchronize(); }},
          {"elapsed_time", [] { (void)cuda::Event().elapsed_time(cuda::Event()); }},
          {"synchronize", [] { cuda::synchronize(); }},
          {"get_device_properties", [] { (void)cuda::get_device_properties(); }},
          {"mem_get_info", [] { (void)cuda::mem_get_info(); }},
          {"memory_stats", [] { (void)cuda::memory_stats(); }},
          {"reset_peak_memory_stats", [] { cuda::reset_peak_memory_stats(); }},
          {"empty_cache", [] { cuda::empty_cache(); }},
          {"zeros", [] { zeros({2}, {.device = Device::cuda()}); }},
          {"empty", [] { empty({2}, {.device = Device::cuda()}); }},
          {"rand", [] { rand({2}, {.device = Device::cuda()}); }},
          {"arange", [] { arange(3, {.device = Device::cuda()}); }},
          {"tensor",
           [] {
             tensor({1, 2}, {.device = Device::cuda()});
           }},
          {"from_blob", [] { from_blob(nullptr, {0}, {.device = Device::cuda()}); }},
          {"to", [] { (void)ones({2}).to(Device::cuda()); }},
          {"cuda", [] { (void)ones({2}).cuda(); }},
          {"pin_memory", [] { (void)ones({2}).pin_memory(); }},
          {"Module::to", [] { nn::Linear(2, 2).to(Device::cuda()); }}};
}

void expect_refusals(const std::string& reason) {
  EXPECT_FALSE(cuda::is_available());
  EXPECT_EQ(cuda::device_count(), 0);
  EXPECT_EQ(cuda::why_not_available(), reason);
  for (const Entry& entry : entries()) {
    SCOPED_TRACE(entry.name);
    expect_error(entry.call, ErrorKind::Device, {"cuda:0", reason});
  }
}

TEST(NoCuda, EveryEntrySaysWhyThereIsNoDevice) {
  if (cuda::is_available()) GTEST_SKIP() << "there is a device";
  const std::string reason = cuda::why_not_available();
  const bool built_without = reason.find("-DREPRISE_CUDA=ON") != std::string::npos;
  EXPECT_TRUE(built_without || reason.find("driver") != std::string::npos) << reason;
  expect_refusals(reason);
  expect_tensor(ones({2}).cpu(), tensor({1.0, 1.0}));
}

TEST(NoCuda, Tf32IsOffUnlessSet) {
  EXPECT_FALSE(cuda::allow_tf32());
  cuda::set_allow_tf32(true);
  EXPECT_TRUE(cuda::allow_tf32());
  cuda::set_allow_tf32(false);
}

TEST(FakeCuda, IsThere) {
  const FakeDevices fake(2);
  EXPECT_TRUE(cuda::is_available());
  EXPECT_EQ(cuda::why_not_available(), "");
  EXPECT_EQ(cuda::device_count(), 2);
  EXPECT_EQ(cuda::get_device_properties(1).name, "fake 1");
  expect_error([] { cuda::synchronize(2); }, ErrorKind::Device, {"cuda:2", "0 to 1"});
  for (const int wrong : {-1, 128, 256}) {
    expect_error([=] { ones({1}).cuda(wrong); }, ErrorKind::Device,
                 {text("cuda:", wrong, " cannot be used"), "0 to 127"});
  }
}

TEST(FakeCuda, DevicesThatAreTooOldAreRefused) {
  {
    const FakeDevices fake(2, {1});
    EXPECT_EQ(cuda::device_count(), 2);
    expect_tensor(ones({2}).cuda(0), ones({2}));
    expect_error([] { ones({1}).cuda(1); }, ErrorKind::Device, {"cuda:1 cannot be used: too old"});
  }
  const FakeDevices fake(1, {0});
  expect_refusals("too old");
}

TEST(FakeCuda, TensorsGoThereAndBack) {
  const FakeDevices fake(2);
  for (const DType dtype : {float32, float64, int32, int64, uint8, bool_}) {
    const Tensor x = tensor({{1, 0, 3}, {0, 5, 6}}).to(dtype);
    for (const Tensor& from : {x, x.t(), x.slice(1, 0, 3, 2), x.slice(0, 0, 1).expand({4, 3}),
                               x.slice(0, 1, 1), x[0][2]}) {
      const Tensor there = from.to(Device::cuda(1));
      EXPECT_EQ(there.device(), Device::cuda(1));
      EXPECT_EQ(there.dtype(), dtype);
      expect_tensor(there.cuda(0).cpu(), from);
      expect_tensor(there, from);
    }
  }
  EXPECT_EQ(fake.runtime.live_blocks(), 0);
}

TEST(FakeCuda, ReadingValuesBringsThemHere) {
  const FakeDevices fake;
  const Tensor x = tensor({1.5, 2.5}).cuda();
  EXPECT_EQ(x[1].item<float>(), 2.5F);
  EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(to_string(x), "[1.5000, 2.5000]\nfloat32[2] cuda:0");
  expect_error([&] { x.data<float>(); }, ErrorKind::Device, {"expected a tensor on cpu", "cuda:0"});
}

TEST(FakeCuda, OpsRunWhereTheirInputsLie) {
  FakeDevices fake;
  const Tensor x = tensor({1, 2, 3}, {.dtype = float32, .device = Device::cuda()});
  const Tensor y = (x + 1).mul(x).sum();
  EXPECT_EQ(y.device(), Device::cuda());
  EXPECT_EQ(y.item<float>(), 20);
  EXPECT_EQ(rand({3}, {.device = Device::cuda()}).device(), Device::cuda());
  const Tensor number = tensor(2.0, {.requires_grad = true});
  const Tensor scaled = x * number - tensor(1);
  expect_tensor(scaled, tensor({1.0, 3.0, 5.0}));
  scaled.sum().backward();
  expect_tensor(number.grad(), tensor(6.0));
  EXPECT_EQ(number.grad().device(), Device::cpu());
  expect_error([&] { (void)(x + ones({3})); }, ErrorKind::Device, {"add", "cuda:0", "cpu"});
}

TEST(FakeCuda, GradientsComeBack) {
  const FakeDevices fake(2);
  Tensor x = tensor({1, 2}, {.dtype = float32, .requires_grad = true});
  const Tensor there = x.cuda(0) * 2;
  (there.cuda(1) * 3).sum().cpu().backward();
  EXPECT_EQ(x.grad().device(), Device::cpu());
  expect_tensor(x.grad(), tensor({6.0, 6.0}));
}

TEST(FakeCuda, TracesKnowWhereValuesLie) {
  const FakeDevices fake;
  const auto f = [](const Tensors& x) { return Tensors{x[0].cuda().neg().cpu()}; };
  const Graph graph = trace(f, {Meta({2}, float32)});
  EXPECT_EQ(to_string(graph),
            "%0 = input : float32[2]\n"
            "%1 = to_device(%0) {from=cpu, to=cuda:0} : float32[2] cuda:0\n"
            "%2 = neg(%1) : float32[2] cuda:0\n"
            "%3 = to_device(%2) {from=cuda:0, to=cpu} : float32[2]\n"
            "return %3\n");
  EXPECT_EQ(to_string(parse(to_string(graph))), to_string(graph));
}

TEST(FakeCuda, CopyReachesAcross) {
  const FakeDevices fake;
  const Tensor source = tensor({1, 2, 3});
  Tensor there = zeros({2, 3}, {.device = Device::cuda()});
  const uint32_t version = there.impl().storage->version();
  there.copy_(source);
  EXPECT_NE(there.impl().storage->version(), version);
  expect_tensor(there, tensor({{1.0, 2.0, 3.0}, {1.0, 2.0, 3.0}}));
  there.t().slice(0, 0, 2).copy_(tensor({{7.0, 8.0}, {9.0, 0.0}}));
  expect_tensor(there, tensor({{7.0, 9.0, 3.0}, {8.0, 0.0, 3.0}}));
  Tensor here = zeros({3}, {.dtype = int64});
  here.copy_(there[0]);
  expect_tensor(here, tensor({7, 9, 3}));
  expect_error([&] { there.copy_(ones({4})); }, ErrorKind::Shape, {"expand"});
}

TEST(FakeCuda, CopiesAreQueuedOnTheCurrentStream) {
  FakeDevices fake(2);
  const Tensor x = ones({2});
  const cuda::Stream stream(0), other(1);
  const cuda::StreamGuard guard(stream), other_guard(other);
  fake.runtime.take_log();
  Tensor there = x.to(Device::cuda(), true);
  EXPECT_EQ(fake.runtime.take_log(), (Log{"allocate 0 1", "copy cpu cuda:0 1"}));
  there.copy_(x);
  EXPECT_EQ(fake.runtime.take_log(), (Log{"copy cpu cuda:0 1", "synchronize 0 1"}));
  const Tensor beyond = there.cuda(1);
  EXPECT_EQ(fake.runtime.take_log(), (Log{"allocate 1 2", "record 1 2", "wait 0 1",
                                          "copy cuda:0 cuda:1 1", "record 0 1", "wait 1 2"}));
  (void)there.cpu();
  EXPECT_EQ(fake.runtime.take_log(), (Log{"copy cuda:0 cpu 1", "synchronize 0 1"}));
}

TEST(FakeCuda, PinnedMemoryIsKeptUntilItsCopyIsDone) {
  FakeDevices fake;
  Tensor pinned = arange(2000).pin_memory();
  EXPECT_TRUE(pinned.is_pinned());
  EXPECT_FALSE(ones({1}).is_pinned());
  EXPECT_EQ(pinned.device(), Device::cpu());
  const void* const place = pinned.raw_data();
  EXPECT_EQ(pinned.pin_memory().raw_data(), place);
  fake.runtime.take_log();
  const Tensor there = pinned.cuda(0, true);
  EXPECT_EQ(fake.runtime.take_log().back(), "record 0 0");
  expect_tensor(there, arange(2000));
  fake.runtime.events_are_done = false;
  pinned = {};
  Tensor other = arange(2000).pin_memory();
  EXPECT_NE(other.raw_data(), place);
  fake.runtime.events_are_done = true;
  EXPECT_EQ(arange(2000).pin_memory().raw_data(), place);
  expect_error([&] { (void)there.pin_memory(); }, ErrorKind::Device, {"pin_memory", "cuda:0"});
  other = {};
  cuda::empty_cache();
  EXPECT_EQ(fake.runtime.live_pinned, 0);
}

TEST(FakeCuda, CopiesThatDoNotBlockOnlyTouchPinnedMemory) {
  FakeDevices fake;
  const Tensor pageable = arange(20), pinned = pageable.pin_memory();
  const auto waits = [&](const auto& copy) {
    fake.runtime.take_log();
    copy();
    return fake.runtime.take_log().back() == "synchronize 0 0";
  };
  Tensor there = pageable.cuda(), here = zeros_like(pageable), pinned_here = here.pin_memory();
  EXPECT_TRUE(waits([&] { there.copy_(pageable); }));  // others may have pinned it
  EXPECT_FALSE(waits([&] { there.copy_(pageable, true); }));
  EXPECT_TRUE(waits([&] { there.copy_(pinned); }));
  EXPECT_FALSE(waits([&] { there.copy_(pinned, true); }));
  EXPECT_TRUE(waits([&] { here.copy_(there); }));
  EXPECT_TRUE(waits([&] { here.copy_(there, true); }));
  EXPECT_TRUE(waits([&] { pinned_here.copy_(there); }));
  EXPECT_FALSE(waits([&] { pinned_here.copy_(there, true); }));
  Tensor back;
  EXPECT_FALSE(waits([&] { back = there.cpu(true); }));
  EXPECT_TRUE(back.is_pinned());
  EXPECT_FALSE(there.cpu().is_pinned());
  cuda::synchronize();
  expect_tensor(back, pageable);
  // The result keeps its memory until the copy is done, also when it dies before.
  const void* const place = back.raw_data();
  fake.runtime.events_are_done = false;
  back = {};
  EXPECT_NE(ones({20}, {.dtype = int64}).pin_memory().raw_data(), place);
  fake.runtime.events_are_done = true;
  const auto f = [](const Tensors& x) { return Tensors{x[0].cuda(0, true).cpu(true)}; };
  EXPECT_FALSE(trace(f, {Meta({2}, float32)}).code.empty());
}

TEST(FakeCuda, GradientsFlowThroughCopiesThatDoNotBlock) {
  const FakeDevices fake;
  Tensor x = tensor({1, 2}, {.dtype = float32, .requires_grad = true});
  const Tensor y = x.cuda(0, true).mul(3).cpu(true);
  y.sum().backward();
  expect_tensor(x.grad(), tensor({3.0, 3.0}));
}

TEST(FakeCuda, OptimizersFollowTheirParameters) {
  const FakeDevices fake(2);
  nn::Linear fc(2, 2), other(2, 2);
  std::vector<Tensor> params = fc.parameters();
  optim::SGD optimizer(params, {.lr = 0.5, .momentum = 0.9});
  const auto step = [&](nn::Linear& layer, Device device) {
    layer.to(device);
    layer(ones({1, 2}, {.device = device})).sum().backward();
    optimizer.step();
    EXPECT_EQ(optimizer.lr(), 0.5);
    for (const Tensor& t : optimizer.state()) EXPECT_EQ(t.device(), device);
    optimizer.zero_grad();
  };
  for (const Device device : {Device::cuda(), Device::cuda(1), Device::cpu()}) step(fc, device);
  params.push_back(other.parameters()[0]);
  optim::Adam mixed(params);
  other.to(Device::cuda());
  for (const Tensor& p : params) p.set_grad(zeros_like(p.detach()));
  expect_error([&] { mixed.step(); }, ErrorKind::Device, {"Adam", "a group for each device"});
}

TEST(FakeCuda, ToolsTakeTensorsOfDevices) {
  const FakeDevices fake(2);
  Tensor a = ones({3}, {.requires_grad = true}), b = ones({3}, {.device = Device::cuda(1)});
  b.requires_grad_();
  a.set_grad(full({3}, 3.0));
  b.set_grad(full({3}, 4.0, {.device = Device::cuda(1)}));
  const Tensor norm = nn::clip_grad_norm_(std::array{b, a}, 1);
  EXPECT_EQ(norm.device(), Device::cuda(1));
  EXPECT_NEAR(norm.item<double>(), std::sqrt(75.0), 1e-5);
  expect_tensor(a.grad(), full({3}, 3 / std::sqrt(75.0)), 1e-6);
  nn::clip_grad_value_(std::array{b, a}, 0.25);
  expect_tensor(b.grad(), full({3}, 0.25));
  const Tensor x = arange(6).reshape({3, 2}).cuda();
  expect_tensor(x[tensor({2, 0})], tensor({{4, 5}, {0, 1}}));
  EXPECT_TRUE(equal(x, x.clone()) && allclose(x, x.clone()));
  nn::Linear here(2, 2), there = here.clone();
  there.to(Device::cuda());
  EXPECT_TRUE(nn::models_have_corresponding_parameters(here, there));
  here.load_state_dict(there.state_dict());
}

TEST(FakeCuda, BatchesLieWhereTheyAreWanted) {
  const FakeDevices fake;
  const DatasetRef shapes = std::make_shared<SyntheticShapes>(4);
  DataLoader here(shapes, {.batch_size = 4});
  DataLoader there(shapes, {.batch_size = 4, .device = Device::cuda()});
  const Batch expected = *here.begin(), batch = *there.begin();
  EXPECT_EQ(batch.labels.device(), Device::cuda());
  expect_tensor(batch.images, expected.images);
  expect_tensor(batch.labels, expected.labels);
}

TEST(FakeCuda, StreamsNestAndBelongToAThread) {
  FakeDevices fake(2);
  const cuda::Stream first, second, far(1);
  EXPECT_EQ(cuda::current_stream(), cuda::Stream::default_stream());
  {
    const cuda::StreamGuard outer(first), elsewhere(far), inner(second);
    EXPECT_EQ(cuda::current_stream(), second);
    EXPECT_EQ(cuda::current_stream(1), far);
    std::thread([] { EXPECT_EQ(cuda::current_stream().handle(), nullptr); }).join();
    fake.runtime.take_log();
    (void)zeros({2}, {.device = Device::cuda()});
    EXPECT_EQ(fake.runtime.take_log(), (Log{"allocate 0 2", "full 0 2", "deallocate 0 2"}));
  }
  EXPECT_EQ(cuda::current_stream().handle(), nullptr);
  int mine = 0;
  const cuda::StreamGuard guard(cuda::Stream::adopt(&mine));
  EXPECT_EQ(cuda::current_stream().handle(), &mine);
}

TEST(FakeCuda, StreamsAreGivenBack) {
  const FakeDevices fake;
  void* handle = nullptr;
  {
    const cuda::Stream stream;
    const cuda::Stream same = stream;  // NOLINT: a copy shares the queue
    handle = same.handle();
    EXPECT_NE(cuda::Stream().handle(), handle);
    EXPECT_TRUE(stream.query());
  }
  const cuda::Stream one, two;
  EXPECT_TRUE(one.handle() == handle || two.handle() == handle);
  EXPECT_NE(cuda::Stream(0, -1).handle(), handle);
}

TEST(FakeCuda, EventsAndStreamsWait) {
  FakeDevices fake(2);
  {
    const cuda::Stream a, b;
    cuda::Event start(true), end(true);
    EXPECT_TRUE(start.query());
    start.wait(b);  // not recorded: nothing to wait for
    EXPECT_TRUE(fake.runtime.take_log().empty());
    start.record(a);
    start.wait(b);
    end.record();
    end.synchronize();
    EXPECT_EQ(fake.runtime.take_log(),
              (Log{"record 0 1", "wait 0 2", "record 0 0", "synchronize event"}));
    EXPECT_EQ(start.elapsed_time(end), 1.5);
    cuda::Event moved = std::move(start);
    expect_error([&] { (void)moved.elapsed_time(cuda::Event()); }, ErrorKind::Value,
                 {"elapsed_time", "enable_timing"});
    moved.record(cuda::Stream(1));
    fake.runtime.take_log();
    a.wait_stream(b);
    a.synchronize();
    EXPECT_EQ(fake.runtime.take_log(), (Log{"record 0 2", "wait 0 1", "synchronize 0 1"}));
  }
  EXPECT_EQ(fake.runtime.live_events, 0);
}

TEST(FakeCuda, MemoryIsCountedAndFreedBehindItsStreams) {
  FakeDevices fake;
  const cuda::Stream stream;
  {
    const Tensor x = ones({256}).cuda();
    EXPECT_EQ(cuda::memory_stats().in_use, 1024);
    x.record_stream(stream);
    fake.runtime.take_log();
  }
  EXPECT_EQ(fake.runtime.take_log(), (Log{"record 0 1", "wait 0 0", "deallocate 0 0"}));
  EXPECT_EQ(cuda::memory_stats().in_use, 0);
  EXPECT_EQ(cuda::memory_stats().peak, 1024);
  cuda::reset_peak_memory_stats();
  EXPECT_EQ(cuda::memory_stats().peak, 0);
  EXPECT_EQ(cuda::memory_stats().reserved, 1024);
  cuda::empty_cache();
  EXPECT_EQ(cuda::memory_stats().reserved, 0);
  EXPECT_EQ(cuda::mem_get_info().free, cuda::mem_get_info().total);
  expect_error([&] { ones({1}).record_stream(stream); }, ErrorKind::Device,
               {"record_stream", "cpu"});
}

TEST(FakeCuda, OutOfMemoryLeavesTheNextCallWorking) {
  FakeDevices fake;
  fake.runtime.room = 4096;
  expect_error([] { zeros({2000}, {.device = Device::cuda()}); }, ErrorKind::OutOfMemory,
               {"8000 bytes", "0 are in use", "4096 of 4096"});
  expect_tensor(zeros({2}, {.device = Device::cuda()}), zeros({2}));
}

/// x -> x, with a megabyte of scratch.
struct Greedy {
  static constexpr std::string_view name = "greedy";
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, in[0].dtype)}; }
  size_t workspace(std::span<const Meta>, Device) const { return 1 << 20; }
  void cpu(const Launch&) const {}
};

TEST(FakeCuda, OutOfMemoryNamesTheOpAndTheLayer) {
  FakeDevices fake;
  const Tensor x = ones({1000}).cuda(), row = ones({1, 2}).cuda();
  nn::Sequential net(nn::Linear(2, 2000));
  net.to(Device::cuda());
  fake.runtime.room = cuda::memory_stats().reserved + 1000;
  const auto expect_refused = [](const std::function<void()>& f, std::string_view start) {
    expect_error(f, ErrorKind::OutOfMemory, {text(start, ": out of memory: asked for")});
  };
  expect_refused([&] { x + x; }, "add");
  expect_refused([&] { x.to(float64); }, "copy");
  expect_refused([&] { apply(Greedy{}, row); }, "greedy");
  expect_refused([&] { net(row); }, "0: linear");
}

/// Losses of a few steps of a small model on that device.
std::vector<float> train(Device device) {
  manual_seed(3);
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3));
  const Tensor x = randn({6, 4}).to(device), y = tensor({0, 1, 2, 0, 1, 2}).to(device);
  net.to(device);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  std::vector<float> losses;
  for (int step = 0; step < 4; ++step) {
    const Tensor loss = cross_entropy(net(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<float>());
  }
  return losses;
}

TEST(FakeCuda, TrainsAsTheCpuDoes) {
  const FakeDevices fake;
  EXPECT_EQ(train(Device::cuda()), train(Device::cpu()));
  EXPECT_EQ(fake.runtime.live_blocks(), 0);
}

TEST(FakeCuda, DoesNotSurviveAFork) {
  FakeDevices fake;
  Tensor x = ones({2}).cuda();
  cuda::Stream stream;
  cuda::Event event;
  event.record(stream);
  Tensor pinned = ones({2}).pin_memory();
  const pid_t child = fork();
  if (child == 0) {
    fake.runtime.take_log();
    expect_refusals(cuda::why_not_available());
    EXPECT_NE(cuda::why_not_available().find("fork"), std::string::npos);
    expect_error([&] { (void)x.cpu(); }, ErrorKind::Device, {"fork"});
    expect_error([&] { (void)(x + x); }, ErrorKind::Device, {"add: cuda:0 cannot be used", "fork"});
    expect_tensor(pinned, ones({2}));
    x = {}, pinned = {};
    { const cuda::Event gone = std::move(event); }
    EXPECT_TRUE(fake.runtime.log.empty());
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  expect_tensor(x, ones({2}));
}

}  // namespace
}  // namespace reprise::test
