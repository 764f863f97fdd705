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

#define PARAMETERS_2 double c0, double c1
#define PARAMETERS_3 PARAMETERS_2, double c2
#define PARAMETERS_4 PARAMETERS_3, double c3
#define ARGUMENTS_2 c0, c1
#define ARGUMENTS_3 ARGUMENTS_2, c2
#define ARGUMENTS_4 ARGUMENTS_3, c3

#define KERNEL_OF(T, suffix, name, constants)                                          \
    KERNEL(name##suffix, const long *data, PARAMETERS_##constants, int flags) {         \
        name(learnable<T>(data), (const double *)data, ARGUMENTS_##constants, flags);   \
    }
#define KERNEL_F32(name, _, constants) KERNEL_OF(float, _f32, name, constants)
#define KERNEL_F64(name, _, constants) KERNEL_OF(double, _f64, name, constants)

EACH_OPTIMIZER(KERNEL_F32)
EACH_OPTIMIZER(KERNEL_F64)
