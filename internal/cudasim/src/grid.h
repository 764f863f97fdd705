#pragma once
#include "host.h"

namespace sim {

// runKernel runs all blocks of a grid. args are the arguments, one in each slot;
// shared is how much dynamic shared memory each block has.
void runKernel(const Kernel &kernel, const uint64_t *args, Index grid, Index block, unsigned shared, bool shuffled);

// moment grows with every block that is run and every barrier of the block that
// the current thread has passed.
uint64_t moment();

}  // namespace sim
