// Kernels of the optimizers' updates.
//
// One launch updates several learnables: blockIdx.y says which. What changes
// from step to step, and where the learnables lie, is read from memory, so that
// a captured step can be replayed with other numbers: data holds three scalars,
// a word that is not used, and for each learnable its length and the addresses
// of weights, gradient and up to three moments.
#include "optimizer.cuh"

template <class T> __device__ Learnable<T> learnable(const long *data) {
    const long *e = data + 4 + 6 * blockIdx.y;
    return {e[0], (T *)e[1], (T *)e[2], {(T *)e[3], (T *)e[4], (T *)e[5]}};
}

#define FOR_EACH_TYPE(T, suffix)                                                                                   \
    KERNEL(sgd##suffix, const long *data, double momentum, double damp, double decay, int flags) {                 \
        sgd(learnable<T>(data), (const double *)data, momentum, damp, decay, flags);                               \
    }                                                                                                              \
    KERNEL(adam##suffix, const long *data, double beta1, double beta2, double eps, double decay, int flags) {      \
        adam(learnable<T>(data), (const double *)data, beta1, beta2, eps, decay, flags);                           \
    }                                                                                                              \
    KERNEL(rmsprop##suffix, const long *data, double alpha, double eps, double decay, double momentum, int flags) { \
        rmsprop(learnable<T>(data), (const double *)data, alpha, eps, decay, momentum, flags);                     \
    }                                                                                                              \
    KERNEL(adagrad##suffix, const long *data, double decay, double eps, int flags) {                               \
        adagrad(learnable<T>(data), (const double *)data, decay, eps, flags);                                      \
    }                                                                                                              \
    KERNEL(lion##suffix, const long *data, double beta1, double beta2, int flags) {                                \
        lion(learnable<T>(data), (const double *)data, beta1, beta2, flags);                                       \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
