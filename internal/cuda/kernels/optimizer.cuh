// The optimizers' updates, in the order of operations of torch.optim.
#pragma once
#include "common.cuh"

// Flags, as in optimizer.go.
enum { ZeroGrad = 1, Maximize = 2, Nesterov = 4, FirstStep = 8, EpsInRoot = 16 };

template <class T> struct Learnable {
    long n;
    T *w, *g, *m[3];

    // gradient returns element i of the gradient, or of −g to maximize, and
    // zeroes it if that is asked for.
    __device__ T gradient(long i, int flags) const {
        const T v = g[i];
        if (flags & ZeroGrad) g[i] = T(0);
        return flags & Maximize ? -v : v;
    }
};

// scalars are numbers that change from step to step, constants those that do not.

// Scalars: the learning rate. Moment: the momentum, which may be null.
template <class T>
__device__ void sgd(const Learnable<T> &l, const double *scalars, double momentum, double damp, double decay, int flags) {
    const T lr = T(scalars[0]), mu = T(momentum);
    T *m = l.m[0];
    for (long i = first(); i < l.n; i += step()) {
        T d = l.gradient(i, flags) + T(decay) * l.w[i];
        if (m) {
            m[i] = flags & FirstStep ? d : mu * m[i] + T(damp) * d;
            d = flags & Nesterov ? d + mu * m[i] : m[i];
        }
        l.w[i] -= lr * d;
    }
}

// Scalars: LR/(1−β₁ᵗ), √(1−β₂ᵗ), and 1−LR·WeightDecay for AdamW or else 1. Moments:
// m, v and, for AMSGrad alone, the largest v.
template <class T>
__device__ void adam(const Learnable<T> &l, const double *scalars, double beta1, double beta2, double eps, double decay,
                     int flags) {
    const T rate = T(scalars[0]), root = T(scalars[1]), keep = T(scalars[2]);
    T *m = l.m[0], *v = l.m[1], *most = l.m[2];
    for (long i = first(); i < l.n; i += step()) {
        const T d = l.gradient(i, flags) + T(decay) * l.w[i];
        m[i] = T(beta1) * m[i] + T(1 - beta1) * d;
        T u = v[i] = T(beta2) * v[i] + T(1 - beta2) * d * d;
        if (most) u = most[i] = most[i] >= u ? most[i] : u;
        l.w[i] = keep * l.w[i] - rate * m[i] / (sqrt(u) / root + T(eps));
    }
}

// Scalars: the learning rate. Moments: v, momentum and mean; the latter may be null.
template <class T>
__device__ void rmsprop(const Learnable<T> &l, const double *scalars, double alpha, double eps, double decay,
                        double momentum, int flags) {
    const T lr = T(scalars[0]);
    T *v = l.m[0], *b = l.m[1], *mean = l.m[2];
    for (long i = first(); i < l.n; i += step()) {
        const T d = l.gradient(i, flags) + T(decay) * l.w[i];
        T u = v[i] = T(alpha) * v[i] + T(1 - alpha) * d * d;
        if (mean) {
            mean[i] = T(alpha) * mean[i] + T(1 - alpha) * d;
            u -= mean[i] * mean[i];
        }
        const T root = flags & EpsInRoot ? sqrt(u + T(eps)) : sqrt(u) + T(eps);
        if (b) {
            b[i] = T(momentum) * b[i] + d / root;
            l.w[i] -= lr * b[i];
        } else {
            l.w[i] -= lr * d / root;
        }
    }
}

// Scalars: LR/(1+(Step−1)·LRDecay). Moment: the sum of squares.
template <class T>
__device__ void adagrad(const Learnable<T> &l, const double *scalars, double decay, double eps, int flags) {
    const T rate = T(scalars[0]);
    T *sum = l.m[0];
    for (long i = first(); i < l.n; i += step()) {
        const T d = l.gradient(i, flags) + T(decay) * l.w[i];
        sum[i] += d * d;
        l.w[i] -= rate * d / (sqrt(sum[i]) + T(eps));
    }
}

// Scalars: the learning rate and 1−LR·WeightDecay. Moment: m. Chen et al., 2023.
template <class T>
__device__ void lion(const Learnable<T> &l, const double *scalars, double beta1, double beta2, int flags) {
    const T rate = T(scalars[0]), keep = T(scalars[1]);
    T *m = l.m[0];
    for (long i = first(); i < l.n; i += step()) {
        const T d = l.gradient(i, flags);
        const T c = T(beta1) * m[i] + T(1 - beta1) * d;
        l.w[i] = keep * l.w[i] - (c > T(0) ? rate : c < T(0) ? -rate : T(0));
        m[i] = T(beta2) * m[i] + T(1 - beta2) * d;
    }
}

// Every optimizer: its function, its name and the number of its constants, in the
// order of package kernel's rules.
#define EACH_OPTIMIZER(X) X(sgd, SGD, 3) X(adam, Adam, 4) X(rmsprop, RMSprop, 4) X(adagrad, Adagrad, 2) X(lion, Lion, 2)
