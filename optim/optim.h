#pragma once
// All of reprise::optim.

#include "adam.h"
#include "schedule.h"
#include "sgd.h"
