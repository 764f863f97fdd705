// Losses and their gradients, computed in float64 and rounded once. Each function
// returns a thread's part of the sum, of the rows or elements that it takes, and
// writes their gradients unless dz is nullptr.
#pragma once
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

template <class T>
__device__ double squaredErrors(const T *p, const T *t, long n, T *dp, double c) {
    Sum sum;
    for (long i = first(); i < n; i += step()) {
        const double d = (double)p[i] - (double)t[i];
        sum.add(d * d);
        if (dp) dp[i] = T(c) * (p[i] - t[i]);
    }
    return sum.total();
}

template <class T>
__device__ double logisticLosses(const T *z, const T *t, long n, T *dz, double c) {
    Sum sum;
    for (long i = first(); i < n; i += step()) {
        sum.add(logisticLoss(z[i], t[i]));
        if (dz) dz[i] = T(c * (logistic(z[i]) - (double)t[i]));
    }
    return sum.total();
}
