// The optimizers' updates, in the order of operations of torch.optim.
//
// One launch updates several learnables: blockIdx.y says which. What changes
// from step to step, and where the learnables lie, is read from memory, so that
// a captured step can be replayed with other numbers: data holds three scalars,
// a word that is not used, and for each learnable its length and the addresses
// of weights, gradient and up to three moments.
#include "common.cuh"

// Flags, as in optimizer.go.
enum { ZeroGrad = 1, Maximize = 2, Nesterov = 4, FirstStep = 8, EpsInRoot = 16 };

__device__ inline double scalar(const long *data, int i) { return ((const double *)data)[i]; }

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

template <class T> __device__ Learnable<T> learnable(const long *data) {
    const long *e = data + 4 + 6 * blockIdx.y;
    return {e[0], (T *)e[1], (T *)e[2], {(T *)e[3], (T *)e[4], (T *)e[5]}};
}

#define FOR_EACH_TYPE(T, suffix)                                                                                 \
    /* Scalars: the learning rate. Moment: the momentum, which may be null. */                                   \
    KERNEL(sgd##suffix, const long *data, double momentum, double damp, double decay, int flags) {               \
        const T lr = T(scalar(data, 0)), mu = T(momentum);                                                       \
        const Learnable<T> l = learnable<T>(data);                                                               \
        T *m = l.m[0];                                                                                           \
        for (long i = first(); i < l.n; i += step()) {                                                           \
            T d = l.gradient(i, flags) + T(decay) * l.w[i];                                                      \
            if (m) {                                                                                             \
                m[i] = flags & FirstStep ? d : mu * m[i] + T(damp) * d;                                          \
                d = flags & Nesterov ? d + mu * m[i] : m[i];                                                     \
            }                                                                                                    \
            l.w[i] -= lr * d;                                                                                    \
        }                                                                                                        \
    }                                                                                                            \
    /* Scalars: LR/(1−β₁ᵗ), √(1−β₂ᵗ), and 1−LR·WeightDecay for AdamW or else 1. Moments: m, v and, for           \
       AMSGrad alone, the largest v. */                                                                          \
    KERNEL(adam##suffix, const long *data, double beta1, double beta2, double eps, double decay, int flags) {    \
        const T rate = T(scalar(data, 0)), root = T(scalar(data, 1)), keep = T(scalar(data, 2));                 \
        const Learnable<T> l = learnable<T>(data);                                                               \
        T *m = l.m[0], *v = l.m[1], *most = l.m[2];                                                              \
        for (long i = first(); i < l.n; i += step()) {                                                           \
            const T d = l.gradient(i, flags) + T(decay) * l.w[i];                                                \
            m[i] = T(beta1) * m[i] + T(1 - beta1) * d;                                                           \
            T u = v[i] = T(beta2) * v[i] + T(1 - beta2) * d * d;                                                 \
            if (most) u = most[i] = most[i] >= u ? most[i] : u;                                                  \
            l.w[i] = keep * l.w[i] - rate * m[i] / (sqrt(u) / root + T(eps));                                    \
        }                                                                                                        \
    }                                                                                                            \
    /* Scalars: the learning rate. Moments: v, momentum and mean; the latter may be null. */                     \
    KERNEL(rmsprop##suffix, const long *data, double alpha, double eps, double decay, double momentum,           \
           int flags) {                                                                                          \
        const T lr = T(scalar(data, 0));                                                                         \
        const Learnable<T> l = learnable<T>(data);                                                               \
        T *v = l.m[0], *b = l.m[1], *mean = l.m[2];                                                              \
        for (long i = first(); i < l.n; i += step()) {                                                           \
            const T d = l.gradient(i, flags) + T(decay) * l.w[i];                                                \
            T u = v[i] = T(alpha) * v[i] + T(1 - alpha) * d * d;                                                 \
            if (mean) {                                                                                          \
                mean[i] = T(alpha) * mean[i] + T(1 - alpha) * d;                                                 \
                u -= mean[i] * mean[i];                                                                          \
            }                                                                                                    \
            const T root = flags & EpsInRoot ? sqrt(u + T(eps)) : sqrt(u) + T(eps);                              \
            if (b) {                                                                                             \
                b[i] = T(momentum) * b[i] + d / root;                                                            \
                l.w[i] -= lr * b[i];                                                                             \
            } else {                                                                                             \
                l.w[i] -= lr * d / root;                                                                         \
            }                                                                                                    \
        }                                                                                                        \
    }                                                                                                            \
    /* Scalars: LR/(1+(Step−1)·LRDecay). Moment: the sum of squares. */                                          \
    KERNEL(adagrad##suffix, const long *data, double decay, double eps, int flags) {                             \
        const T rate = T(scalar(data, 0));                                                                       \
        const Learnable<T> l = learnable<T>(data);                                                               \
        T *sum = l.m[0];                                                                                         \
        for (long i = first(); i < l.n; i += step()) {                                                           \
            const T d = l.gradient(i, flags) + T(decay) * l.w[i];                                                \
            sum[i] += d * d;                                                                                     \
            l.w[i] -= rate * d / (sqrt(sum[i]) + T(eps));                                                        \
        }                                                                                                        \
    }                                                                                                            \
    /* Scalars: the learning rate and 1−LR·WeightDecay. Moment: m. Chen et al., 2023. */                         \
    KERNEL(lion##suffix, const long *data, double beta1, double beta2, int flags) {                              \
        const T rate = T(scalar(data, 0)), keep = T(scalar(data, 1));                                            \
        const Learnable<T> l = learnable<T>(data);                                                               \
        T *m = l.m[0];                                                                                           \
        for (long i = first(); i < l.n; i += step()) {                                                           \
            const T d = l.gradient(i, flags);                                                                    \
            const T c = T(beta1) * m[i] + T(1 - beta1) * d;                                                      \
            l.w[i] = keep * l.w[i] - (c > T(0) ? rate : c < T(0) ? -rate : T(0));                                \
            m[i] = T(beta2) * m[i] + T(1 - beta2) * d;                                                           \
        }                                                                                                        \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
