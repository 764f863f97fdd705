#pragma once
#include "host.h"

namespace sim {

// runKernel runs all blocks of a grid. args are the arguments, one in each slot.
void runKernel(const Kernel &kernel, const uint64_t *args, Index grid, Index block, bool shuffled);

}  // namespace sim
