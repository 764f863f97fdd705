// Products of large tiles, one in a launch, for matrices that have about one
// tile for every multiprocessor or more.
#include "product.cuh"

KERNEL_FOR_TWO(product_large_f32, Product<float> p) {
    PRODUCT_OF(float, 128, 128, 16, 8, 8)
    tile::product(p, blockIdx.x, sh);
}
