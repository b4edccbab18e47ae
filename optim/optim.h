#pragma once
// All of reprise::optim.

#include "adam.h"
#include "grad_scaler.h"
#include "schedule.h"
#include "sgd.h"
