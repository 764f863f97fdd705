// Products of medium tiles.
#include "product.cuh"

PRODUCTS(float, _f32, medium, 64, 64, 16, 4, 4)
PRODUCTS(double, _f64, medium, 64, 64, 16, 4, 4)
