// Products of medium tiles.
#include "linear.cuh"

PRODUCT(float, _f32, medium, 64, 64, 16, 4, 4)
PRODUCT(double, _f64, medium, 64, 64, 16, 4, 4)
