// A whole training step of a small model, done by one block: every operand lies
// in shared memory from the beginning of the step to its end. Müller (2021),
// tiny-cuda-nn, does the same with networks of up to 128 units a layer.
//
// What the step consists of is a program that fuse.go makes of the launches that
// would do the same. It is interpreted, so that every small model whose launches
// are of these kinds is done this way.
#include "activation.cuh"
#include "loss.cuh"
#include "optimizer.cuh"

namespace small {

// Offsets of operands count elements of T from the beginning of the arena; −1
// stands for what is not there. The layout of these structs is that in fuse.go.

// Segment is a piece of a matrix that is brought to shared memory or back.
struct Segment {
    void *global;
    int at, rows, cols, stride, strideGlobal;
    int row;  // of a gathered matrix, that of the batch which comes first; −1 for others
};

#define NAME_OF(_, name, constants) name,
enum { Multiply, Chain, CrossEntropy, SquaredError, LogisticLoss, EACH_OPTIMIZER(NAME_OF) };

// Op is a part of the step. The matrices are those of product.cuh, or the logits,
// targets and gradient of a loss, or weights, gradient and moments.
struct Op {
    int what;
    int together;  // it needs nothing of the op before it
    int m, n, k;   // of a loss: rows, columns; of an optimizer: elements
    int a, strideA, transA, b, strideB, transB;
    int y, strideY, transY, z, strideZ, bias, sums;
    int kind;     // of the activation
    int scalars;  // which of the numbers that change from step to step
    double alpha, limit;
    double factor, count;  // of a loss
    double *results;
    double constants[4];  // of an optimizer, and its flags
    long flags;
};

// A program begins with the numbers of its loads, ops and stores and a word that
// is not used; these follow in that order.
constexpr int head = 4;

constexpr int programWords = 1024, rowsMost = 1024, scalarGroups = 4;

template <class T> __device__ T *at(T *arena, int offset) { return offset < 0 ? nullptr : arena + offset; }

// move copies segments, a warp for each, between memory and the arena.
template <bool in, class T>
__device__ __forceinline__ void move(const Segment *segments, int n, T *arena, const int *index) {
    const int lane = threadIdx.x % warp;
    for (int s = threadIdx.x / warp; s < n; s += threads / warp) {
        const Segment p = segments[s];
#pragma unroll 4
        for (int e = lane; e < p.rows * p.cols; e += warp) {
            const int i = e / p.cols, j = e % p.cols;
            const long row = in && p.row >= 0 ? index[p.row + i] : i;
            T *far = (T *)p.global + row * p.strideGlobal + j;
            T *near = arena + p.at + i * p.stride + j;
            if (in)
                *near = *far;
            else
                *far = *near;
        }
    }
}

// multiply is product.cuh's product: each thread computes elements of Y, and sums
// of the columns of B.
template <class T> __device__ __forceinline__ void multiply(const Op &p, T *arena) {
    const Act<T> act = {p.kind, T(p.alpha), T(p.limit)};
    const int all = p.m * p.n + (p.sums < 0 ? 0 : p.n);
    const int stepA = p.transA ? p.strideA : 1, stepB = p.transB ? 1 : p.strideB;
    for (int e = threadIdx.x; e < all; e += threads) {
        const int i = e / p.n, j = e % p.n;
        const T *b = arena + p.b + (p.transB ? j * p.strideB : j);
        if (i == p.m) {
            double sum = 0;
            for (int k = 0; k < p.k; k++) sum += (double)b[k * stepB];
            arena[p.sums + j] = T(sum);
            continue;
        }
        const T *a = arena + p.a + (p.transA ? i : i * p.strideA);
        T v = T(0);
#pragma unroll 4
        for (int k = 0; k < p.k; k++) v += a[k * stepA] * b[k * stepB];
        if (p.bias >= 0) v += arena[p.bias + j];
        if (p.z >= 0) arena[p.z + i * p.strideZ + j] = v;
        arena[p.y + (p.transY ? j * p.strideY + i : i * p.strideY + j)] = activate(v, act);
    }
}

// chainRows puts a ⊙ act'(b) to y.
template <class T> __device__ __forceinline__ void chainRows(const Op &p, T *arena) {
    const Act<T> act = {p.kind, T(p.alpha), T(p.limit)};
    for (int e = threadIdx.x; e < p.m * p.n; e += threads) {
        const int i = e / p.n, j = e % p.n;
        arena[p.y + i * p.strideY + j] = chain(arena[p.a + i * p.strideA + j], arena[p.b + i * p.strideB + j], act);
    }
}

template <class T> __device__ __forceinline__ void loss(const Op &p, T *arena, long slot) {
    const T *z = arena + p.a, *t = arena + p.b;
    T *dz = at(arena, p.y);
    double sum;
    if (p.what == CrossEntropy)
        sum = crossEntropy(z, p.strideA, t, p.strideB, p.m, p.n, dz, p.strideY, p.factor);
    else if (p.what == SquaredError)
        sum = squaredErrors(z, t, p.m * p.n, dz, p.factor);
    else
        sum = logisticLosses(z, t, p.m * p.n, dz, p.factor);
    sum = blockSum(sum);
    if (threadIdx.x == 0 && p.results) p.results[slot] = (double)(T)(sum / p.count);
}

template <class T> __device__ __forceinline__ void update(const Op &p, T *arena, const double *scalars) {
    const Learnable<T> l = {p.n, arena + p.a, arena + p.b, {at(arena, p.y), at(arena, p.z), at(arena, p.bias)}};
    const double *s = scalars + 3 * p.scalars, *c = p.constants;
    const int flags = (int)p.flags;
#define CONSTANTS_2 c[0], c[1]
#define CONSTANTS_3 CONSTANTS_2, c[2]
#define CONSTANTS_4 CONSTANTS_3, c[3]
#define CASE_OF(function, name, constants) \
    case name: function(l, s, CONSTANTS_##constants, flags); break;
    switch (p.what) { EACH_OPTIMIZER(CASE_OF) }
}

// run runs a program of `words` words. Like step_begin, it finds what changes
// from step to step in the step's slot of the host's ring, the numbers of `rows`
// rows and up to four groups of three scalars, and counts the step. Without words
// it does nothing: the driver then has the kernel at hand for a capture.
template <class T>
__device__ void run(T *arena, int arenaWords, const long *program, int words, const long *ring, long *count, long slots,
                    long slotWords, int rows, int scalars0, int scalars1, int scalars2, int scalars3) {
    __shared__ __align__(16) long code[programWords];
    __shared__ int index[rowsMost];
    __shared__ double scalars[3 * scalarGroups];
    const int t = threadIdx.x;
    if (words == 0) return;
    const long slot = *(volatile long *)count % slots;
    const volatile long *mine = ring + slot * slotWords;
    // The ring is the host's memory, and far: what comes from there is needed last.
    const int group = t / 3 == 0 ? scalars0 : t / 3 == 1 ? scalars1 : t / 3 == 2 ? scalars2 : scalars3;
    const double scalar = t < 3 * scalarGroups && group ? ((const volatile double *)mine)[group + t % 3] : 0;
    const int mineRow = t < rows ? ((const volatile int *)(mine + 1))[t] : 0;
    for (int i = t; i < words; i += threads) code[i] = program[i];
    for (int i = t; i < arenaWords; i += threads) ((long *)arena)[i] = 0;
    __syncthreads();
    const int nLoads = (int)code[0], nOps = (int)code[1], nStores = (int)code[2];
    const Segment *loads = (const Segment *)(code + head);
    const Op *ops = (const Op *)(loads + nLoads);
    const Segment *stores = (const Segment *)(ops + nOps);
    if (t < 3 * scalarGroups) scalars[t] = scalar;
    if (t < rows) index[t] = mineRow;
    for (int i = t + threads; i < rows; i += threads) index[i] = ((const volatile int *)(mine + 1))[i];
    __syncthreads();
    move<true>(loads, nLoads, arena, index);
#pragma unroll 1
    for (int i = 0; i < nOps; i++) {
        const Op &op = ops[i];
        if (!op.together) __syncthreads();
        switch (op.what) {
        case Multiply: multiply(op, arena); break;
        case Chain: chainRows(op, arena); break;
        case CrossEntropy:
        case SquaredError:
        case LogisticLoss: loss(op, arena, slot); break;
        default: update(op, arena, scalars);
        }
    }
    __syncthreads();
    move<false>(stores, nStores, arena, index);
    if (t == 0) *count += 1;
}

}  // namespace small

#define FOR_EACH_TYPE(T, suffix)                                                                                       \
    KERNEL_WITH_BARRIERS(small_step##suffix, const long *program, int words, int arenaWords, const long *ring, long *count, \
                         long slots, long slotWords, int rows, int scalars0, int scalars1, int scalars2, int scalars3) { \
        small::run((T *)DYNAMIC_SHARED(), arenaWords, program, words, ring, count, slots, slotWords, rows, scalars0,   \
                   scalars1, scalars2, scalars3);                                                                      \
    }

FOR_EACH_TYPE(float, _f32)
FOR_EACH_TYPE(double, _f64)
