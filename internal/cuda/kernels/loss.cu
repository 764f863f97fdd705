// Losses and their gradients, computed in float64 and rounded once.
#include "common.cuh"

// crossEntropy is −Σ_j t_j·log softmax(z)_j of the rows of this warp, on lane 0.
template <class T>
__device__ double crossEntropy(const T *z, long strideZ, const T *t, long strideT, long rows, long cols) {
    const int lane = threadIdx.x % warp;
    Sum loss;
    for (long row = first() / warp; row < rows; row += step() / warp) {
        const T *logits = z + row * strideZ, *targets = t + row * strideT;
        double top = -1.0 / 0.0;
        Sum sum, dot;
        for (long j = lane; j < cols; j += warp)
            if (!((double)logits[j] <= top)) top = logits[j];
        top = warpMax(top);
        for (long j = lane; j < cols; j += warp) sum.add(exp((double)logits[j] - top));
        const double logSum = log(warpSum(sum.total()));
        for (long j = lane; j < cols; j += warp)
            if (targets[j] != T(0)) dot.add((double)targets[j] * ((double)logits[j] - top - logSum));
        loss.add(-warpSum(dot.total()));
    }
    return lane == 0 ? loss.total() : 0;
}

// crossEntropyBackward computes c·(softmax(z)·Σ_j t_j − t) for the rows of this warp.
template <class T>
__device__ void crossEntropyBackward(T *dz, long strideDZ, const T *z, long strideZ, const T *t, long strideT,
                                     long rows, long cols, double c) {
    const int lane = threadIdx.x % warp;
    for (long row = first() / warp; row < rows; row += step() / warp) {
        const T *logits = z + row * strideZ, *targets = t + row * strideT;
        double top = -1.0 / 0.0, sum = 0, mass = 0;
        for (long j = lane; j < cols; j += warp) {
            if (!((double)logits[j] <= top)) top = logits[j];
            mass += (double)targets[j];
        }
        top = warpMax(top);
        mass = warpSum(mass);
        for (long j = lane; j < cols; j += warp) sum += exp((double)logits[j] - top);
        sum = warpSum(sum);
        for (long j = lane; j < cols; j += warp)
            dz[row * strideDZ + j] = T(c * (exp((double)logits[j] - top) / sum * mass - (double)targets[j]));
    }
}

// logisticLoss is max(z, 0) − z·t + log(1 + e^−|z|).
__device__ inline double logisticLoss(double z, double t) {
    return (z > 0 ? z : 0) - z * t + log1p(exp(z > 0 ? -z : z));
}

__device__ inline double logistic(double z) {
    double e = exp(z < 0 ? z : -z);
    return (z < 0 ? e : 1) / (1 + e);
}

// Sums take what they are divided by, the place for partial sums and that of
// the result last.
#define TOTAL double count, double *parts, unsigned int *arrived, double *results, const long *slot
#define INTO {parts, arrived, results, slot}

#define FOR_EACH_TYPE(T, suffix)                                                                                  \
    KERNEL_WITH_BARRIERS(cross_entropy##suffix, const T *z, long strideZ, const T *t, long strideT, long rows,    \
                         long cols, TOTAL) {                                                                      \
        gridSum<T>(crossEntropy(z, strideZ, t, strideT, rows, cols), count, INTO);                                \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(cross_entropy_backward##suffix, T *dz, long strideDZ, const T *z, long strideZ,          \
                         const T *t, long strideT, long rows, long cols, double c) {                              \
        crossEntropyBackward(dz, strideDZ, z, strideZ, t, strideT, rows, cols, c);                                \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(squared_error##suffix, const T *p, const T *t, long n, TOTAL) {                          \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) {                                                              \
            double d = (double)p[i] - (double)t[i];                                                               \
            sum.add(d * d);                                                                                       \
        }                                                                                                         \
        gridSum<T>(sum.total(), count, INTO);                                                                             \
    }                                                                                                             \
    KERNEL(squared_error_backward##suffix, T *dp, const T *p, const T *t, long n, double c) {                     \
        for (long i = first(); i < n; i += step()) dp[i] = T(c) * (p[i] - t[i]);                                  \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(logistic_loss##suffix, const T *z, const T *t, long n, TOTAL) {                          \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) sum.add(logisticLoss(z[i], t[i]));                            \
        gridSum<T>(sum.total(), count, INTO);                                                                             \
    }                                                                                                             \
    KERNEL(logistic_loss_backward##suffix, T *dz, const T *z, const T *t, long n, double c) {                     \
        for (long i = first(); i < n; i += step()) dz[i] = T(c * (logistic(z[i]) - (double)t[i]));                \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(sum_of_squares##suffix, const T *x, long n, TOTAL) {                                     \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) sum.add((double)x[i] * (double)x[i]);                          \
        gridSum<double>(sum.total(), count, INTO);                                                                        \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
