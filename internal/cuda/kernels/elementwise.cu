// Kernels that take each element, or each row, by itself.
#include "activation.cuh"

// softmaxRow computes row by row, a warp for each: exp(z − max z) / Σ.
template <class T> __device__ void softmaxRows(T *y, long strideY, const T *z, long strideZ, long rows, long cols) {
    const int lane = threadIdx.x % warp;
    for (long row = first() / warp; row < rows; row += step() / warp) {
        const T *in = z + row * strideZ;
        T *out = y + row * strideY;
        double top = -1.0 / 0.0, sum = 0;
        for (long j = lane; j < cols; j += warp)
            if (!((double)in[j] <= top)) top = in[j];
        top = warpMax(top);
        for (long j = lane; j < cols; j += warp) sum += exp((double)in[j] - top);
        sum = warpSum(sum);
        for (long j = lane; j < cols; j += warp) out[j] = T(exp((double)in[j] - top) / sum);
    }
}

#define FOR_EACH_TYPE(T, suffix)                                                                                 \
    KERNEL(activate##suffix, T *y, const T *z, long n, int kind, double alpha) {                                 \
        for (long i = first(); i < n; i += step()) y[i] = activate(z[i], kind, T(alpha));                        \
    }                                                                                                            \
    KERNEL(activation_backward##suffix, T *dz, const T *dy, const T *a, long n, int kind, double alpha,          \
           int order) {                                                                                          \
        for (long i = first(); i < n; i += step())                                                               \
            dz[i] = order == 1 ? chain(dy[i], a[i], kind, T(alpha)) : chainSecond(dy[i], a[i], kind);            \
    }                                                                                                            \
    KERNEL(chain_rows##suffix, T *dz, const T *dy, long strideDY, const T *a, long strideA, long rows, long cols, \
           int kind, double alpha) {                                                                             \
        for (long i = first(); i < rows * cols; i += step())                                                     \
            dz[i] = chain(dy[i / cols * strideDY + i % cols], a[i / cols * strideA + i % cols], kind, T(alpha)); \
    }                                                                                                            \
    KERNEL_WITH_BARRIERS(softmax##suffix, T *y, long strideY, const T *z, long strideZ, long rows, long cols) {   \
        softmaxRows(y, strideY, z, strideZ, rows, cols);                                                         \
    }                                                                                                            \
    KERNEL(broadcast_rows##suffix, T *y, long stride, const T *v, long rows, long cols) {                        \
        for (long i = first(); i < rows * cols; i += step()) y[i / cols * stride + i % cols] = v[i % cols];      \
    }                                                                                                            \
    KERNEL(gather_rows##suffix, T *dst, long strideDst, const T *src, long strideSrc, const long *index,         \
           long rows, long cols) {                                                                               \
        for (long i = first(); i < rows * cols; i += step())                                                     \
            dst[i / cols * strideDst + i % cols] = src[index[i / cols] * strideSrc + i % cols];                  \
    }                                                                                                            \
    KERNEL(scale##suffix, T *x, long n, double factor) {                                                         \
        for (long i = first(); i < n; i += step()) x[i] *= T(factor);                                            \
    }                                                                                                            \
    KERNEL(clamp##suffix, T *x, long n, double limit) {                                                          \
        for (long i = first(); i < n; i += step())                                                               \
            x[i] = x[i] > T(limit) ? T(limit) : x[i] < -T(limit) ? -T(limit) : x[i];                             \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)

// round_rows rounds a matrix to bfloat16, the upper half of a float32, to nearest
// and ties to even. A NaN stays one.
KERNEL(round_rows, unsigned short *y, const float *x, long strideX, long rows, long cols) {
    for (long i = first(); i < rows * cols; i += step()) {
        const float v = x[i / cols * strideX + i % cols];
        const unsigned bits = __float_as_uint(v);
        y[i] = v == v ? (bits + 0x7fff + ((bits >> 16) & 1)) >> 16 : 0x7fff;
    }
}

// step_begin opens a training step: it fetches the numbers that change from
// step to step (see steps.go) from the host's ring into device memory, where
// the kernels of the step look for them. block[0] is the slot of the ring.
KERNEL_WITH_BARRIERS(step_begin, long *block, const long *ring, long *count, long slots, long words, long used) {
    const long slot = *count % slots;
    for (long i = 1 + threadIdx.x; i < used; i += threads) block[i] = ((volatile const long *)ring)[slot * words + i];
    __syncthreads();
    if (threadIdx.x == 0) {
        block[0] = slot;
        *count += 1;
    }
}
