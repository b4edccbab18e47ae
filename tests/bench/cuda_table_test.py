#!/usr/bin/env python3
"""Tests of bench/cuda_table on figures that are made up."""

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
TABLE = Path(__file__).resolve().parents[2] / "bench" / "cuda_table"
loader = importlib.machinery.SourceFileLoader("cuda_table", str(TABLE))
table = importlib.util.module_from_spec(importlib.util.spec_from_loader("cuda_table", loader))
loader.exec_module(table)

GIB = 2**30


def report(**benchmarks):
    made = [{"name": f"{name}/iterations:7/manual_time", **b} for name, b in benchmarks.items()]
    return json.dumps({"context": {}, "benchmarks": made})


def rows(ours, theirs=None):
    return {row[0]: row[1:] for row in table.rows(ours, theirs or {})}


class CudaTable(unittest.TestCase):
    def test_shares_are_of_the_fastest_copy(self):
        ours = {"cuda/memcpy": {"fastest_us": 500, "bytes": 2 * GIB},
                "cuda/relu": {"fastest_us": 520, "slowest_us": 530, "bytes": 2 * GIB},
                "cuda/sum": {"fastest_us": 290, "bytes": GIB},
                "cuda/copy": {"fastest_us": 600, "bytes": 2 * GIB}}
        relu, total = rows(ours)["cuda/relu"], rows(ours)["cuda/sum"]
        self.assertEqual(relu[:3], ["520.0", "530.0", "4.13 TB/s, 96% of copy"])
        self.assertEqual(relu[-1], "0.85 x copy ✓")
        self.assertEqual(total[2], "3.70 TB/s, 86% of copy")
        slower = rows(ours, {"cuda/copy/eager": 400.0})
        self.assertEqual(slower["cuda/relu"][2], "4.13 TB/s, 77% of copy")
        self.assertEqual(slower["cuda/relu"][-1], "0.85 x copy ✗")
        self.assertEqual(slower["cuda/copy"][-1], "", "a copy has no goal")

    def test_ratios_say_how_much_longer_pytorch_takes(self):
        ours = {"cuda/program/toy_resnet/forward/4/16": {"fastest_us": 40, "label": "one CUDA graph"}}
        theirs = {f"cuda/toy_resnet/forward/4/16/{way}": us
                  for way, us in (("eager", 210.0), ("graph", 50.0), ("compile", 80.0))}
        row = rows(ours, theirs)["cuda/program/toy_resnet/forward/4/16"]
        self.assertEqual(row[2:6], ["one CUDA graph", "210.0 (5.25)", "80.0 (2.00)", "50.0 (1.25)"])
        self.assertEqual(row[-1], "1.3 x graph ✗, 5 x eager ✓")

    def test_training_is_held_against_the_best(self):
        name = "cuda/program/toy_resnet/train/128"
        theirs = {"cuda/toy_resnet/train/128/eager": 3000.0, "cuda/toy_resnet/train/128/graph": 1500.0}
        for ours, goal in ((1000, "1.3 x best ✓, 3 x eager ✓"), (1200, "1.3 x best ✗, 3 x eager ✗")):
            self.assertEqual(rows({name: {"fastest_us": ours}}, theirs)[name][-1], goal)

    def test_every_goal_of_the_issue_is_marked(self):
        ours = {"cuda/matmul/bfloat16/8192": {"fastest_us": 1000, "flop": 2 * 8192**3},
                "cuda/matmul/float16/8192": {"fastest_us": 1000, "flop": 2 * 8192**3},
                "cuda/program/resnet50/train/bfloat16/64": {"fastest_us": 100},
                "cuda/program/resnet50/train/64": {"fastest_us": 100},
                "cuda/program/toy_resnet/launch/128": {"fastest_us": 9, "label": "one CUDA graph of 9"}}
        alone = rows(ours)
        self.assertEqual(alone["cuda/matmul/bfloat16/8192"][2], "1099.5 TFLOP/s")
        self.assertEqual(alone["cuda/matmul/bfloat16/8192"][-1], "0.98 x eager ?")
        self.assertEqual(alone["cuda/matmul/float16/8192"][-1], "")
        self.assertEqual(alone["cuda/program/resnet50/train/64"][-1], "")
        self.assertEqual(alone["cuda/program/toy_resnet/launch/128"][-1], "one launch in 15 µs ✓")
        beside = rows(ours, {"cuda/matmul/bfloat16/8192/eager": 985.0,
                             "cuda/resnet50/train/bfloat16/64/compile": 99.0})
        self.assertEqual(beside["cuda/matmul/bfloat16/8192"][-1], "0.98 x eager ✓")
        self.assertEqual(beside["cuda/program/resnet50/train/bfloat16/64"][-1], "1 x compile ✗")
        for late in ({"fastest_us": 16, "label": "one CUDA graph"}, {"fastest_us": 9, "label": "a loop"}):
            row = rows({"cuda/program/toy_resnet/launch/128": late})
            self.assertEqual(row["cuda/program/toy_resnet/launch/128"][-1], "one launch in 15 µs ✗")

    def test_what_fails_keeps_its_row(self):
        ours = {"cuda/exp": {"error_occurred": True, "error_message": "a|b\nc"}}
        row = rows(ours, {"cuda/exp/eager": 7.0, "cuda/tanh/eager": 8.0})
        self.assertEqual(row["cuda/exp"], ["a/b c", "", "", "7.0", "", "", ""])
        self.assertEqual(row["cuda/tanh"], ["", "", "", "8.0", "", "", ""])

    def test_reads_reports_that_were_cut(self):
        whole = report(**{"cuda/relu": {"fastest_us": 1}, "cuda/exp": {"fastest_us": 2}})
        self.assertEqual(len(table.benchmarks_of(whole)), 2)
        cut = whole[:whole.rindex("{")]
        self.assertEqual(len(table.benchmarks_of(cut)), 1)
        self.assertEqual(table.benchmarks_of(""), [])
        self.assertEqual(table.times_of('{"name": "a", "ns": [3000, 2000]}\n{"na'), {"a": 2})

    def test_runs_both_sides_and_tells_who_ended_early(self):
        with tempfile.TemporaryDirectory() as folder:
            bench, python = Path(folder) / "bench", Path(folder) / "python"
            bench.write_text("#!/bin/sh\ncat <<'END'\n" +
                             report(**{"cuda/relu": {"fastest_us": 4, "bytes": 8e6}}) + "\nEND\n")
            python.write_text('#!/bin/sh\necho \'{"name": "cuda/relu/eager", "ns": [6000]}\'\nexit 3\n')
            for program in (bench, python):
                program.chmod(0o755)
            run = subprocess.run([TABLE, bench, "--python", python], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("| cuda/relu | 4.0 | 4.0 | 2.00 TB/s | 6.0 (1.50) |", run.stdout)
            self.assertIn("| PyTorch | ended with 3 |", run.stdout)
            bench.write_text("#!/bin/sh\nexit 1\n")
            run = subprocess.run([TABLE, bench], capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn("| reprise-bench | ended with 1 |", run.stdout)
            self.assertIn("| PyTorch | was not there |", run.stdout)


if __name__ == "__main__":
    unittest.main()
