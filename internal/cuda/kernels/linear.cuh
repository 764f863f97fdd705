// The three matrix products of the linear layer, row-major:
//
//   forward       Y[n, out]  = act(X[n, in]·W[in, out] + b)
//   input grad    dX[n, in]  = (dY ⊙ act'(a))[n, out]·W[in, out]ᵀ
//   weight grad   dW[in, out] = X[n, in]ᵀ·(dY ⊙ act'(a))[n, out]
//
// Each block computes a tile of the result. It walks along the inner dimension
// in slices of both factors, which lie in shared memory twice: while one pair
// is multiplied, the next is on its way through registers. Each thread holds a
// small tile of sums in registers. Bias and activation are applied to the sums
// before they are stored, act' to the elements of dY while they are loaded.
#pragma once
#include "activation.cuh"

enum Form { Forward, InputGrad, WeightGrad };

// Factor is an operand. Where it is dY, a and kind give act'.
template <class T> struct Factor {
    const T *data, *a;
    long stride, strideA;
    int kind;
    T alpha;

    __device__ T at(long row, long col) const {
        T v = data[row * stride + col];
        return kind == Identity ? v : chain(v, a[row * strideA + col], kind, alpha);
    }
};

// Result is where sums go: Z and then act(Z).
template <class T> struct Result {
    T *y, *z;
    const T *bias;
    long strideY, strideZ;
    int kind;
    T alpha;

    __device__ void put(long row, long col, T sum) const {
        if (bias) sum += bias[col];
        if (z) z[row * strideZ + col] = sum;
        y[row * strideY + col] = activate(sum, kind, alpha);
    }
};

// product computes the tile blockIdx.x of C[M, N] = A[M, K]·B[K, N], over that
// part of K that is blockIdx.y's of gridDim.y. With more than one part, C is
// an array of gridDim.y partial results.
//
// BM×BN is the block's tile, BK the depth of a slice, TM×TN a thread's tile.
template <class T, Form form, int BM, int BN, int BK, int TM, int TN>
__device__ void product(Factor<T> A, Factor<T> B, Result<T> C, long M, long N, long K) {
    static_assert((BM / TM) * (BN / TN) == threads, "one thread for each small tile");
    constexpr bool transA = form == WeightGrad, transB = form == InputGrad;
    constexpr int loadsA = BM * BK / threads, loadsB = BN * BK / threads;
    // Rows are padded so that transposing stores meet few bank conflicts and
    // 16-byte loads stay aligned.
    constexpr int pad = 16 / sizeof(T);
    __shared__ __align__(16) T sliceA[2][BK][BM + pad];
    __shared__ __align__(16) T sliceB[2][BK][BN + pad];

    const long tilesN = (N + BN - 1) / BN;
    const long row0 = blockIdx.x / tilesN * BM, col0 = blockIdx.x % tilesN * BN;
    const long slices = (K + BK - 1) / BK;
    const long from = slices * blockIdx.y / gridDim.y * BK;
    const long end = slices * (blockIdx.y + 1) / gridDim.y * BK;
    const long until = end < K ? end : K;
    const int t = threadIdx.x, tx = t % (BN / TN), ty = t / (BN / TN);

    T nextA[loadsA], nextB[loadsB];
    auto load = [&](long k0) {
        // Neighbouring threads read neighbouring elements of a row in memory.
#pragma unroll
        for (int i = 0; i < loadsA; i++) {
            int e = t + i * threads;
            long m = row0 + (transA ? e % BM : e / BK), k = k0 + (transA ? e / BM : e % BK);
            nextA[i] = m < M && k < until ? (transA ? A.at(k, m) : A.at(m, k)) : T(0);
        }
#pragma unroll
        for (int i = 0; i < loadsB; i++) {
            int e = t + i * threads;
            long n = col0 + (transB ? e / BK : e % BN), k = k0 + (transB ? e % BK : e / BN);
            nextB[i] = n < N && k < until ? (transB ? B.at(n, k) : B.at(k, n)) : T(0);
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < loadsA; i++) {
            int e = t + i * threads;
            sliceA[buffer][transA ? e / BM : e % BK][transA ? e % BM : e / BK] = nextA[i];
        }
#pragma unroll
        for (int i = 0; i < loadsB; i++) {
            int e = t + i * threads;
            sliceB[buffer][transB ? e % BK : e / BN][transB ? e / BK : e % BN] = nextB[i];
        }
    };
    // A thread's rows come in groups of up to 4 that lie next to each other,
    // and the groups of a warp fill a row of shared memory without gaps.
    constexpr int groupM = TM < 4 ? TM : 4, groupN = TN < 4 ? TN : 4;
    auto rowOf = [&](int i) { return i / groupM * (BM / (TM / groupM)) + ty * groupM + i % groupM; };
    auto colOf = [&](int j) { return j / groupN * (BN / (TN / groupN)) + tx * groupN + j % groupN; };

    T sum[TM][TN] = {};
    int buffer = 0;
    if (from < until) {
        load(from);
        store(0);
    }
    __syncthreads();
    for (long k0 = from; k0 < until; k0 += BK) {
        const bool more = k0 + BK < until;
        if (more) load(k0 + BK);
#pragma unroll
        for (int k = 0; k < BK; k++) {
            T a[TM], b[TN];
#pragma unroll
            for (int i = 0; i < TM; i++) a[i] = sliceA[buffer][k][rowOf(i)];
#pragma unroll
            for (int j = 0; j < TN; j++) b[j] = sliceB[buffer][k][colOf(j)];
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++) sum[i][j] += a[i] * b[j];
        }
        if (more) store(1 - buffer);
        __syncthreads();
        buffer = 1 - buffer;
    }

    if (gridDim.y > 1) C.y += blockIdx.y * M * N;
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) {
            long m = row0 + rowOf(i), n = col0 + colOf(j);
            if (m < M && n < N) C.put(m, n, sum[i][j]);
        }
}

// combine adds the partial results of a product that was split along K, in
// order, and does what remains.
template <class T> __device__ void combine(const T *parts, int splits, Result<T> C, long M, long N) {
    for (long i = first(); i < M * N; i += step()) {
        T sum = parts[i];
        for (int s = 1; s < splits; s++) sum += parts[s * M * N + i];
        C.put(i / N, i % N, sum);
    }
}

// biasGrad sums dY ⊙ act'(a) over rows. A block takes 32 columns and 8 rows at
// a time; gridDim.y blocks share the rows and leave gridDim.y partial rows.
template <class T> __device__ void biasGrad(T *db, Factor<T> dy, long rows, long cols) {
    constexpr int lanes = threads / warp;
    __shared__ double sums[lanes][warp];
    const int x = threadIdx.x % warp, y = threadIdx.x / warp;
    const long col = (long)blockIdx.x * warp + x;
    const long from = rows * blockIdx.y / gridDim.y, until = rows * (blockIdx.y + 1) / gridDim.y;
    double sum = 0;
    if (col < cols)
        for (long row = from + y; row < until; row += lanes) sum += (double)dy.at(row, col);
    sums[y][x] = sum;
    __syncthreads();
    if (y == 0 && col < cols) {
        for (int i = 1; i < lanes; i++) sum += sums[i][x];
        db[blockIdx.y * cols + col] = T(sum);
    }
}

#define PRODUCT(T, suffix, size, BM, BN, BK, TM, TN)                                                              \
    KERNEL_WITH_BARRIERS(forward_##size##suffix, T *y, long strideY, T *z, long strideZ, const T *x, long strideX, \
                         const T *w, long strideW, const T *b, long n, long in, long out, int kind, double alpha) { \
        product<T, Forward, BM, BN, BK, TM, TN>({x, nullptr, strideX, 0, Identity, T(0)},                         \
                                                {w, nullptr, strideW, 0, Identity, T(0)},                         \
                                                {y, z, b, strideY, strideZ, kind, T(alpha)}, n, out, in);         \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(input_grad_##size##suffix, T *dx, long strideDX, const T *dy, long strideDY, const T *a,  \
                         long strideA, const T *w, long strideW, long n, long in, long out, int kind,             \
                         double alpha) {                                                                          \
        product<T, InputGrad, BM, BN, BK, TM, TN>({dy, a, strideDY, strideA, kind, T(alpha)},                     \
                                                  {w, nullptr, strideW, 0, Identity, T(0)},                       \
                                                  {dx, nullptr, nullptr, strideDX, 0, Identity, T(0)}, n, in, out); \
    }                                                                                                             \
    KERNEL_WITH_BARRIERS(weight_grad_##size##suffix, T *dw, long strideDW, const T *x, long strideX, const T *dy,  \
                         long strideDY, const T *a, long strideA, long n, long in, long out, int kind,            \
                         double alpha) {                                                                          \
        product<T, WeightGrad, BM, BN, BK, TM, TN>({x, nullptr, strideX, 0, Identity, T(0)},                      \
                                                   {dy, a, strideDY, strideA, kind, T(alpha)},                    \
                                                   {dw, nullptr, nullptr, strideDW, 0, Identity, T(0)}, in, out, n); \
    }
