// The optimiser updates, in the order of operations of torch.optim. Scalars
// that change from step to step are read from memory, so that a captured step
// can be replayed with others.
#include "common.cuh"

#define FOR_EACH_TYPE(T, suffix)                                                                                 \
    /* s: learning rate. first: the momentum has no history yet. */                                              \
    KERNEL(sgd##suffix, T *w, T *g, T *m, long n, const double *s, double momentum, double damp, double decay,   \
           int nesterov, int firstStep, int zeroGrad) {                                                          \
        const T lr = T(s[0]), mu = T(momentum);                                                                  \
        for (long i = first(); i < n; i += step()) {                                                             \
            T d = g[i] + T(decay) * w[i];                                                                        \
            if (m) {                                                                                             \
                m[i] = firstStep ? d : mu * m[i] + T(damp) * d;                                                  \
                d = nesterov ? d + mu * m[i] : m[i];                                                             \
            }                                                                                                    \
            w[i] -= lr * d;                                                                                      \
            if (zeroGrad) g[i] = T(0);                                                                           \
        }                                                                                                        \
    }                                                                                                            \
    /* s: LR/(1−β₁ᵗ), √(1−β₂ᵗ), and 1−LR·WeightDecay for AdamW or else 1. */                                     \
    KERNEL(adam##suffix, T *w, T *g, T *m, T *v, long n, const double *s, double beta1, double beta2, double eps, \
           double decay, int zeroGrad) {                                                                         \
        const T rate = T(s[0]), root = T(s[1]), keep = T(s[2]);                                                  \
        for (long i = first(); i < n; i += step()) {                                                             \
            const T d = g[i] + T(decay) * w[i];                                                                  \
            m[i] = T(beta1) * m[i] + T(1 - beta1) * d;                                                           \
            v[i] = T(beta2) * v[i] + T(1 - beta2) * d * d;                                                       \
            w[i] = keep * w[i] - rate * m[i] / (sqrt(v[i]) / root + T(eps));                                     \
            if (zeroGrad) g[i] = T(0);                                                                           \
        }                                                                                                        \
    }                                                                                                            \
    /* s: learning rate. b and mean may be null. */                                                              \
    KERNEL(rmsprop##suffix, T *w, T *g, T *v, T *b, T *mean, long n, const double *s, double alpha, double eps,  \
           double decay, double momentum, int zeroGrad) {                                                        \
        const T lr = T(s[0]);                                                                                    \
        for (long i = first(); i < n; i += step()) {                                                             \
            const T d = g[i] + T(decay) * w[i];                                                                  \
            T u = v[i] = T(alpha) * v[i] + T(1 - alpha) * d * d;                                                 \
            if (mean) {                                                                                          \
                mean[i] = T(alpha) * mean[i] + T(1 - alpha) * d;                                                 \
                u -= mean[i] * mean[i];                                                                          \
            }                                                                                                    \
            const T root = sqrt(u) + T(eps);                                                                     \
            if (b) {                                                                                             \
                b[i] = T(momentum) * b[i] + d / root;                                                            \
                w[i] -= lr * b[i];                                                                               \
            } else {                                                                                             \
                w[i] -= lr * d / root;                                                                           \
            }                                                                                                    \
            if (zeroGrad) g[i] = T(0);                                                                           \
        }                                                                                                        \
    }                                                                                                            \
    /* s: LR/(1+(Step−1)·LRDecay). */                                                                            \
    KERNEL(adagrad##suffix, T *w, T *g, T *sum, long n, const double *s, double decay, double eps,               \
           int zeroGrad) {                                                                                       \
        const T rate = T(s[0]);                                                                                  \
        for (long i = first(); i < n; i += step()) {                                                             \
            const T d = g[i] + T(decay) * w[i];                                                                  \
            sum[i] += d * d;                                                                                     \
            w[i] -= rate * d / (sqrt(sum[i]) + T(eps));                                                          \
            if (zeroGrad) g[i] = T(0);                                                                           \
        }                                                                                                        \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
