#pragma once
// All of data/.

#include "cifar10.h"
#include "data_loader.h"
#include "mnist.h"
#include "progress.h"
#include "synthetic_shapes.h"
