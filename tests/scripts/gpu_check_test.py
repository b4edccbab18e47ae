#!/usr/bin/env python3
"""Tests of scripts/gpu_check in a copy of the tree where every tool is played by a script."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

NVIDIA_SMI = """case $1 in
  *=name) echo 'NVIDIA H200' ;;
  *=compute_cap) echo 9.0 ;;
  *=driver_version) echo 580.1 ;;
esac"""
CMAKE = """echo "$@ CPATH=$CPATH" >>cmake.log
[ "$1" = --build ] || exit 0
[ -e broken ] && { echo 'error: no such header'; exit 1; }
mkdir -p "$2/bin" && cp played_tests "$2/bin/reprise_tests" && cp played_bench "$2/bin/reprise-bench" """
SANITIZER = """[ -e refuses ] && { echo 'Error: Device not supported'; exit 1; }
while [ "${1#--}" != "$1" ]; do
  case $1 in --tool | --error-exitcode | --print-limit) shift 2 ;; *) shift ;; esac
done
exec "$@" """
PYTHON = """case "$*" in
  *'import torch'*) exit 0 ;;
  *torch_bench.py*)
    echo '{"name": "cuda/matmul/bfloat16/8192/eager", "ns": [900000]}'
    echo '{"name": "cuda/toy_resnet/train/128/eager", "ns": [4000000]}' ;;
  *sysconfig*) echo "/wheels/nvidia/cudnn/$3" ;;
  *) exec REAL "$@" ;;
esac"""
TESTS = """echo "$*" >>tests.log
[ -e hangs ] && [ "$GTEST_SHARD_INDEX" = 0 ] && { echo '[ RUN      ] Slow.Test'; exec sleep 600; }
echo '[ RUN      ] Some.Test'
[ -e fails ] && { echo 'a difference'; echo '[  FAILED  ] Some.Test (1 ms)'; exit 1; }
echo '[       OK ] Some.Test (1 ms)'"""
BENCH = """cat <<'END'
{"context": {}, "benchmarks": [
{"name": "cuda/matmul/bfloat16/8192/iterations:7/manual_time", "fastest_us": 1000, "flop": 1e12},
{"name": "cuda/program/toy_resnet/train/128/iterations:7/manual_time", "fastest_us": 1000}]}
END"""
STEPS = ["build", "op rows", "everything else of the device", "10,000 replays",
         "more than 2^31 elements", "benchmarks",
         "memcheck", "racecheck"]


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.tree = Path(self.folder.name)
        for part in ("scripts/gpu_check", "bench/cuda_table", "bench/peers/torch_bench.py"):
            (self.tree / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, self.tree / part)
        (self.tree / "deps/usr").mkdir(parents=True)
        python = PYTHON.replace("REAL", sys.executable)
        for name, script in (("nvidia-smi", NVIDIA_SMI), ("cmake", CMAKE), ("python3", python),
                             ("g++", ""), ("nvcc", "echo 'release 13.0, V13'"), ("ninja", ""),
                             ("compute-sanitizer", SANITIZER)):
            self.play("tools/" + name, script)
        self.play("played_tests", TESTS)
        self.play("played_bench", BENCH)

    def tearDown(self):
        self.folder.cleanup()

    def play(self, name, script):
        path = self.tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + script + "\n")
        path.chmod(0o755)

    def check(self, *arguments, seconds=60, **more):
        environment = {"PATH": f"{self.tree}/tools:/usr/bin:/bin", "CUDA_PATH": "/nowhere",
                       "REPRISE_GPU_SECONDS": str(seconds), "REPRISE_COMMIT": "abc1234", **more}
        run = subprocess.run([self.tree / "scripts/gpu_check", *(arguments or ["deps"])],
                             cwd=self.tree, env=environment, capture_output=True, text=True)
        result = self.tree / "bench/results/nvidia_h200.md"
        text = result.read_text() if result.exists() else ""
        steps = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]* \| \d+ \|$", text, re.MULTILINE))
        return run, text, steps

    def test_makes_the_table(self):
        run, text, steps = self.check()
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(steps, {name: "passed" for name in STEPS})
        self.assertRegex(text, r"^# NVIDIA H200\n\n\d{4}-\d\d-\d\d, commit abc1234, driver 580.1, CUDA "
                               r"release 13.0. ")
        self.assertIn("| op rows | passed | 8 passed, 0 failed, 0 skipped |", text)
        self.assertIn("| benchmarks | passed | 3 rows, 2 goals reached, 1 missed |", text)
        self.assertIn("900.0 (0.90) |  |  | 0.98 x eager ✗ |", text)
        filters = set((self.tree / "tests.log").read_text().split())  # tests/emulator/names_test.cpp
        self.assertIn("--gtest_filter=*Cuda*:-*CudaRows*:Long*:*/Long*", filters)
        configured = (self.tree / "cmake.log").read_text()
        self.assertIn("-DCMAKE_CUDA_ARCHITECTURES=90-real", configured)
        self.assertIn("-G Ninja", configured)
        self.assertIn("-DCMAKE_INCLUDE_PATH=/wheels/nvidia/cudnn/include", configured)
        self.assertIn("CPATH=/wheels/nvidia/cudnn/include", configured)
        self.assertIn(f"-DCMAKE_PREFIX_PATH={self.tree}/deps/usr", configured)
        self.assertIn("--target reprise_tests reprise-train reprise-bench", configured)

    def test_benchmarks_come_however_slow_the_tests(self):
        (self.tree / "hangs").touch()
        start = time.monotonic()
        run, text, steps = self.check(seconds=14)
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(steps["op rows"], "out of time")
        self.assertEqual(steps["benchmarks"], "passed")
        self.assertIn("7 passed, 0 failed, 0 skipped, ended in Slow.Test", text)
        self.assertIn("| cuda/program/toy_resnet/train/128 |", text)

    def test_failures_are_told_and_stop_nothing_but_the_build(self):
        (self.tree / "fails").touch()
        run, text, steps = self.check()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(steps["op rows"], "FAILED")
        self.assertEqual(steps["benchmarks"], "passed")
        self.assertIn("a difference", run.stdout)
        (self.tree / "broken").touch()
        run, text, steps = self.check()
        self.assertEqual((run.returncode, steps), (1, {"build": "FAILED"}))
        self.assertIn("error: no such header", run.stdout)

    def test_goes_without_what_is_missing(self):
        (self.tree / "refuses").touch()
        self.play("tools/python3", PYTHON.replace("REAL", sys.executable).replace("exit 0", "exit 1"))
        run, text, steps = self.check()
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(steps["memcheck"], "skipped")
        self.assertEqual(steps["benchmarks of PyTorch"], "skipped")
        self.assertIn("| PyTorch | was not there |", text)
        self.assertIn("0.98 x eager ?", text)
        for tool, said in (("nvidia-smi", "no NVIDIA GPU"), ("nvcc", "nvcc is missing")):
            (self.tree / "tools" / tool).rename(self.tree / tool)
            run, _, _ = self.check()
            self.assertEqual(run.returncode, 1)
            self.assertIn(said, run.stderr)
            (self.tree / tool).rename(self.tree / "tools" / tool)
        self.assertEqual(self.check("nothing")[0].returncode, 2)


if __name__ == "__main__":
    os.environ.pop("GTEST_TOTAL_SHARDS", None)
    unittest.main()
