// Products of small tiles, for small matrices; and what goes with all products.
#include "linear.cuh"

PRODUCT(float, _f32, small, 32, 32, 32, 2, 2)
PRODUCT(double, _f64, small, 32, 32, 32, 2, 2)

#define FOR_EACH_TYPE(T, suffix)                                                                                  \
    KERNEL(combine##suffix, T *y, long strideY, T *z, long strideZ, const T *b, const T *parts, int splits, long m, \
           long n, int kind, double alpha) {                                                                      \
        combine<T>(parts, splits, {y, z, b, strideY, strideZ, kind, T(alpha)}, m, n);                             \
    }                                                                                                             \
    KERNEL(finish_rows##suffix, T *y, long strideY, T *z, long strideZ, const T *b, const T *from, long strideFrom, \
           long m, long n, int kind, double alpha) {                                                              \
        const Result<T> C = {y, z, b, strideY, strideZ, kind, T(alpha)};                                          \
        for (long i = first(); i < m * n; i += step()) C.put(i / n, i % n, from[i / n * strideFrom + i % n]);     \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(bias_grad##suffix, T *db, const T *dy, long strideDY, const T *a, long strideA, long n,   \
                         long out, int kind, double alpha) {                                                      \
        biasGrad<T>(db, {dy, a, strideDY, strideA, kind, T(alpha)}, n, out);                                      \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
