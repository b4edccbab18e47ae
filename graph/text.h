#pragma once
// The text of a graph, as to_string (graph.h) prints it:
//
//   %0 = input : float32[8, 784]
//   %fc.weight = capture : float32[10, 784]
//   %w = capture of %fc.weight at 784 : float32[3, 784]   another view of the same memory
//   %lr = capture : float64[]
//   prologue:                                             absent when there is none
//   %4 = permute(%fc.weight) {dims=[1, 0]} : float32[784, 10 : 1, 784]
//   body:
//   %5 = matmul(%0, %4) : float32[8, 10]  # fc            the layer that called
//   %6 = neg(%5) into %5 : float32[8, 10]                 in place
//   sgd_step(%lr, %w -> %7, ...) {...}                    %7 is %w after the op wrote it
//   update %fc.weight = %7
//   return %6
//
// Types show strides when a value is not dense in row-major order, and the device when it is not
// the CPU. A capture is called by its name, in quotes where that is no word or a number: %"my w".

#include "graph.h"

namespace reprise {

/// The graph that prints as `text`, which is not trusted: types are inferred anew and compared.
/// Captures have no tensors yet, and whether the order of reads and writes is sound is left to
/// verify. Format error for what is no such text; the errors of infer, with the line. Linear.
REPRISE_API Graph parse(std::string_view text);

}  // namespace reprise
