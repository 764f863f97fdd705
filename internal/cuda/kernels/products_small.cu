// Products of small tiles, for small matrices.
#include "product.cuh"

PRODUCTS(float, _f32, small, 32, 32, 32, 2, 2)
PRODUCTS(double, _f64, small, 32, 32, 32, 2, 2)
