// Losses and their gradients, computed in float64 and rounded once. Each kernel
// gives the value, the gradient or both: what is not wanted is nullptr.
#include "common.cuh"

// crossEntropy is −Σ_j t_j·log softmax(z)_j of the rows of this warp, on lane 0.
// dz receives c·(softmax(z)·Σ_j t_j − t).
template <class T>
__device__ double crossEntropy(const T *z, long strideZ, const T *t, long strideT, long rows, long cols, T *dz,
                               long strideDZ, double c) {
    const int lane = threadIdx.x % warp;
    Sum loss;
    for (long row = first() / warp; row < rows; row += step() / warp) {
        const T *logits = z + row * strideZ, *targets = t + row * strideT;
        double top = -1.0 / 0.0, mass = 0;
        Sum sum, dot;
        for (long j = lane; j < cols; j += warp) {
            if (!((double)logits[j] <= top)) top = logits[j];
            mass += (double)targets[j];
        }
        top = warpMax(top);
        for (long j = lane; j < cols; j += warp) sum.add(exp((double)logits[j] - top));
        const double total = warpSum(sum.total()), logTotal = log(total);
        for (long j = lane; j < cols; j += warp)
            if (targets[j] != T(0)) dot.add((double)targets[j] * ((double)logits[j] - top - logTotal));
        loss.add(-warpSum(dot.total()));
        mass = warpSum(mass);
        if (!dz) continue;
        for (long j = lane; j < cols; j += warp)
            dz[row * strideDZ + j] = T(c * (exp((double)logits[j] - top) / total * mass - (double)targets[j]));
    }
    return lane == 0 ? loss.total() : 0;
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
                         long cols, T *dz, long strideDZ, double c, TOTAL) {                                      \
        gridSum<T>(crossEntropy(z, strideZ, t, strideT, rows, cols, dz, strideDZ, c), count, INTO);               \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(squared_error##suffix, const T *p, const T *t, long n, T *dp, double c, TOTAL) {         \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) {                                                              \
            const double d = (double)p[i] - (double)t[i];                                                         \
            sum.add(d * d);                                                                                       \
            if (dp) dp[i] = T(c) * (p[i] - t[i]);                                                                 \
        }                                                                                                         \
        gridSum<T>(sum.total(), count, INTO);                                                                     \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(logistic_loss##suffix, const T *z, const T *t, long n, T *dz, double c, TOTAL) {         \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) {                                                              \
            sum.add(logisticLoss(z[i], t[i]));                                                                    \
            if (dz) dz[i] = T(c * (logistic(z[i]) - (double)t[i]));                                               \
        }                                                                                                         \
        gridSum<T>(sum.total(), count, INTO);                                                                     \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(sum_of_squares##suffix, const T *x, long n, TOTAL) {                                     \
        Sum sum;                                                                                                  \
        for (long i = first(); i < n; i += step()) sum.add((double)x[i] * (double)x[i]);                          \
        gridSum<double>(sum.total(), count, INTO);                                                                \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
