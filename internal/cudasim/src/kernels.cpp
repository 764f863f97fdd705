// The kernels of package cuda, compiled for the host.
#include "host.h"

namespace {
#include "../../cuda/kernels/elementwise.cu"
#undef FOR_EACH_TYPE
#include "../../cuda/kernels/products_large.cu"
#include "../../cuda/kernels/products_medium.cu"
#include "../../cuda/kernels/products_small.cu"
#include "../../cuda/kernels/loss.cu"
#undef FOR_EACH_TYPE
#include "../../cuda/kernels/optimizer.cu"
#undef FOR_EACH_TYPE
#include "../../cuda/kernels/small_step.cu"
}  // namespace
