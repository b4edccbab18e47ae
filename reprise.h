#pragma once
// All of Reprise for its users: #include <reprise/reprise.h>, link reprise::reprise.

#include "./autograd/engine.h"
#include "./autograd/function.h"
#include "./autograd/gradcheck.h"
#include "./autograd/tape.h"
#include "./core/allocator.h"
#include "./core/ops.h"
#include "./core/parallel.h"
#include "./core/random.h"
#include "./data/datasets.h"
#include "./graph/model.h"
#include "./io/safetensors.h"
#include "./layers/nn.h"
#include "./optim/optim.h"
