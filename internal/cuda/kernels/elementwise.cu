// Kernels that take each element, or each row, by itself.
#include "activation.cuh"

// softmaxRows computes row by row, a warp for each: exp(z − max z) / Σ.
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

// biasGrad sums dY ⊙ act' over rows. A block takes 32 columns and 8 rows at a
// time; gridDim.y blocks share the rows, and the last of them adds up their
// parts in order.
template <class T>
__device__ void biasGrad(T *db, const T *dy, long strideDY, const T *saved, long strideSaved, long rows, long cols,
                         Act<T> act, double *parts, unsigned int *arrived) {
    constexpr int lanes = threads / warp;
    __shared__ double sums[lanes][warp];
    const int x = threadIdx.x % warp, y = threadIdx.x / warp;
    const long col = (long)blockIdx.x * warp + x;
    const long from = rows * blockIdx.y / gridDim.y, until = rows * (blockIdx.y + 1) / gridDim.y;
    double sum = 0;
    if (col < cols)
        for (long row = from + y; row < until; row += lanes) {
            const T v = dy[row * strideDY + col];
            sum += (double)(saved ? chain(v, saved[row * strideSaved + col], act) : v);
        }
    sums[y][x] = sum;
    __syncthreads();
    if (y == 0)
        for (int i = 1; i < lanes; i++) sum += sums[i][x];
    const bool writes = y == 0 && col < cols;
    if (gridDim.y > 1) {
        if (writes) parts[blockIdx.y * cols + col] = sum;
        if (!isLast(arrived + blockIdx.x, gridDim.y)) return;
        sum = 0;
        if (writes)
            for (int s = 0; s < gridDim.y; s++) sum += ((volatile double *)parts)[s * cols + col];
    }
    if (writes) db[col] = T(sum);
}

#define FOR_EACH_TYPE(T, suffix)                                                                                 \
    KERNEL(activate##suffix, T *y, const T *z, long n, int kind, double alpha, double limit) {                   \
        const Act<T> act = {kind, T(alpha), T(limit)};                                                           \
        for (long i = first(); i < n; i += step()) y[i] = activate(z[i], act);                                   \
    }                                                                                                            \
    KERNEL(activation_backward##suffix, T *dz, const T *dy, const T *a, long n, int kind, double alpha,          \
           double limit, int order) {                                                                            \
        const Act<T> act = {kind, T(alpha), T(limit)};                                                           \
        for (long i = first(); i < n; i += step())                                                               \
            dz[i] = order == 1 ? chain(dy[i], a[i], act) : chainSecond(dy[i], a[i], act);                        \
    }                                                                                                            \
    KERNEL(chain_rows##suffix, T *dz, const T *dy, long strideDY, const T *a, long strideA, long rows, long cols, \
           int kind, double alpha, double limit) {                                                               \
        const Act<T> act = {kind, T(alpha), T(limit)};                                                           \
        for (long i = first(); i < rows * cols; i += step())                                                     \
            dz[i] = chain(dy[i / cols * strideDY + i % cols], a[i / cols * strideA + i % cols], act);            \
    }                                                                                                            \
    /* What remains to be done to a product that lies at from: the bias, Z and act. */                           \
    KERNEL(finish_rows##suffix, T *y, long strideY, T *z, long strideZ, const T *b, const T *from,                \
           long strideFrom, long m, long n, int kind, double alpha, double limit) {                              \
        const Act<T> act = {kind, T(alpha), T(limit)};                                                           \
        for (long i = first(); i < m * n; i += step()) {                                                         \
            const long row = i / n, col = i % n;                                                                 \
            T v = from[row * strideFrom + col];                                                                  \
            if (b) v += b[col];                                                                                  \
            if (z) z[row * strideZ + col] = v;                                                                   \
            y[row * strideY + col] = activate(v, act);                                                           \
        }                                                                                                        \
    }                                                                                                            \
    KERNEL_WITH_BARRIERS(bias_grad##suffix, T *db, const T *dy, long strideDY, const T *saved, long strideSaved, \
                         long n, long out, int kind, double alpha, double limit, double *parts,                  \
                         unsigned int *arrived) {                                                                \
        biasGrad<T>(db, dy, strideDY, saved, strideSaved, n, out, {kind, T(alpha), T(limit)}, parts, arrived);   \
    }                                                                                                            \
    KERNEL_WITH_BARRIERS(softmax##suffix, T *y, long strideY, const T *z, long strideZ, long rows, long cols) {   \
        softmaxRows(y, strideY, z, strideZ, rows, cols);                                                         \
    }                                                                                                            \
    KERNEL(broadcast_rows##suffix, T *y, long stride, const T *v, long rows, long cols) {                        \
        for (long i = first(); i < rows * cols; i += step()) y[i / cols * stride + i % cols] = v[i % cols];      \
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

// Rows are copied in words of 4 bytes, whatever their elements are.
__device__ inline void copyRow(unsigned *to, const unsigned *from, long words) {
    for (long i = threadIdx.x % warp; i < words; i += warp) to[i] = from[i];
}

// gather_rows copies row index[i] of src into row i of dst, a warp for each.
KERNEL(gather_rows, unsigned *dst, long strideDst, const unsigned *src, long strideSrc, const int *index, long rows,
       long words) {
    for (long row = first() / warp; row < rows; row += step() / warp)
        copyRow(dst + row * strideDst, src + index[row] * strideSrc, words);
}

// step_begin opens a training step. Its first block fetches the numbers that
// change from step to step (see steps.go) from the host's ring into device
// memory, where the kernels of the step look for them; block[0] is the slot of the
// ring. The other blocks gather the rows of a batch from up to two tables; each
// takes some rows, and reads their numbers from the ring. The block that comes
// last counts the step.
KERNEL_WITH_BARRIERS(step_begin, long *block, const long *ring, long *count, unsigned int *arrived, long slots, long words,
                     long gathered, long used, long rows, unsigned *dst0, long strideDst0, const unsigned *src0,
                     long strideSrc0, long words0, unsigned *dst1, long strideDst1, const unsigned *src1,
                     long strideSrc1, long words1) {
    __shared__ int index[threads];
    const long slot = *(volatile long *)count % slots;
    const volatile long *mine = ring + slot * words;
    if (blockIdx.x == 0) {
        for (long i = gathered + threadIdx.x; i < used; i += threads) block[i] = mine[i];
        if (threadIdx.x == 0) block[0] = slot;
    } else {
        const long shares = gridDim.x - 1, share = blockIdx.x - 1;
        const long until = rows * (share + 1) / shares;
        for (long row = rows * share / shares; row < until; row += threads) {
            const int n = until - row < threads ? (int)(until - row) : threads;
            __syncthreads();
            if (threadIdx.x < n) index[threadIdx.x] = ((const volatile int *)(mine + 1))[row + threadIdx.x];
            __syncthreads();
            for (int i = threadIdx.x / warp; i < n; i += threads / warp) {
                copyRow(dst0 + (row + i) * strideDst0, src0 + index[i] * strideSrc0, words0);
                if (words1) copyRow(dst1 + (row + i) * strideDst1, src1 + index[i] * strideSrc1, words1);
            }
        }
    }
    if (isLast(arrived, gridDim.x) && threadIdx.x == 0) *count += 1;
}
