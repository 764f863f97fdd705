// Products of large tiles, for matrices that have at least one tile for every
// multiprocessor.
#include "linear.cuh"

PRODUCT(float, _f32, large, 128, 128, 16, 8, 8)
