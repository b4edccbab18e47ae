#pragma once
// All of reprise::nn.

#include "activation.h"
#include "batch_norm.h"
#include "callback.h"
#include "clip_grad.h"
#include "conv.h"
#include "dropout.h"
#include "flatten.h"
#include "functional.h"
#include "identity.h"
#include "init.h"
#include "linear.h"
#include "loss.h"
#include "pooling.h"
#include "sequential.h"
