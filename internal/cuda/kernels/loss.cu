// Kernels of losses: value, gradient or both. What is not wanted is nullptr.
#include "loss.cuh"

// Sums take what they are divided by, the place for partial sums and that of
// the result last.
#define TOTAL double count, double *parts, unsigned int *arrived, double *results, const long *slot
#define INTO {parts, arrived, results, slot}

#define FOR_EACH_TYPE(T, suffix)                                                                                  \
    KERNEL_WITH_BARRIERS(cross_entropy##suffix, const T *z, long strideZ, const T *t, long strideT, long rows,    \
                         long cols, T *dz, long strideDZ, double c, TOTAL) {                                      \
        gridSum<T>(crossEntropy(z, strideZ, t, strideT, rows, cols, dz, strideDZ, c), count, INTO);               \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(squared_error##suffix, const T *p, const T *t, long n, T *dp, double c, TOTAL) {         \
        gridSum<T>(squaredErrors(p, t, n, dp, c), count, INTO);                                                   \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(logistic_loss##suffix, const T *z, const T *t, long n, T *dz, double c, TOTAL) {         \
        gridSum<T>(logisticLosses(z, t, n, dz, c), count, INTO);                                                  \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(sum_of_squares##suffix, const T *x, long n, TOTAL) {                                     \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) sum.add((double)x[i] * (double)x[i]);                          \
        gridSum<double>(sum.total(), count, INTO);                                                                \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
