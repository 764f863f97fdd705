// The matrix product that all of the linear layer is made of, row-major:
//
//   forward       Y[n, out]   = act(X[n, in]·W[in, out] + b)
//   input grad    dX[n, in]   = (dY ⊙ act')[n, out]·W[in, out]ᵀ
//   weight grad   dW[in, out] = X[n, in]ᵀ·(dY ⊙ act')[n, out],  db = Σ over rows of dY ⊙ act'
//
// Each block computes a tile of the result. It walks along the inner dimension
// in slices of both factors, which lie in shared memory twice: while one pair
// is multiplied, the next is on its way through registers. Each thread holds a
// small tile of sums in registers. Bias and activation are applied to the sums
// before they are stored, act' to the elements of dY as they are loaded, and the
// sums for db are taken from them on the way.
#pragma once
#include "activation.cuh"

// Product is C[m, n] = A[m, k]·B[k, n] with what is done to it. Each field has 8
// bytes: linear.go fills them in.
template <class T> struct Product {
    const T *a, *b;
    long strideA, strideB;
    long transA, transB;  // whether the factor lies in memory transposed
    const T *saved;       // what act' is written in, of dY, which is A or B
    long strideSaved, savedInA;
    T *y, *z;
    const T *bias;
    long strideY, strideZ, transY;
    T *sums;  // receives the sums of the columns of B, or nullptr
    long m, n, k;
    long kind;  // of act' if saved is given, of act otherwise
    double alpha, limit;
    long blocks;  // tiles·splits
    // With more than one split, that many blocks share the inner dimension of a
    // tile. The last of them adds up the parts, in order.
    long splits;
    T *parts;
    double *sumParts;
    unsigned int *arrived;  // one for each tile
    long unused;
};

// Products are what one launch computes. The second may have no blocks.
template <class T> struct Products {
    Product<T> first, second;
};

// Vector is 16 bytes of elements.
template <class T> struct Vector;
template <> struct Vector<float> { typedef float4 type; };
template <> struct Vector<double> { typedef double2 type; };

// take copies n elements that lie next to each other, 16 or 8 bytes at a time.
template <int n, class T> __device__ __forceinline__ void take(T *to, const T *from) {
    typedef typename Vector<T>::type V;
    constexpr int width = 16 / sizeof(T);
    static_assert(n % width == 0 || n * sizeof(T) == 8, "16 or 8 bytes");
    if (n % width != 0) *(float2 *)to = *(const float2 *)from;
#pragma unroll
    for (int i = 0; i < n / width; i++) ((V *)to)[i] = ((const V *)from)[i];
}

template <class T> __device__ bool aligned(const T *p, long stride) {
    return (size_t)p % 16 == 0 && stride * sizeof(T) % 16 == 0;
}

// BM×BN is a block's tile, BK the depth of a slice, TM×TN a thread's tile.
template <class T, int BM, int BN, int BK, int TM, int TN> struct Tile {
    static_assert((BM / TM) * (BN / TN) == threads, "one thread for each small tile");
    static constexpr int width = 16 / sizeof(T);
    // Rows are padded so that transposing stores meet few bank conflicts and
    // 16-byte loads stay aligned.
    static constexpr int rowA = BM + width, rowB = BN + width;
    static constexpr int sliceA = BK * rowA, sliceB = BK * rowB;
    // The slices of B follow those of A, in each of two buffers.
    static constexpr int other = sliceA + sliceB, shared = 2 * other;
    // A thread's rows come in groups of up to 4 that lie next to each other, and
    // the groups of a warp fill a row of shared memory without gaps.
    static constexpr int groupM = TM < 4 ? TM : 4, groupN = TN < 4 ? TN : 4;

    static __device__ int rowOf(int i) {
        return i / groupM * (BM / (TM / groupM)) + threadIdx.x / (BN / TN) * groupM + i % groupM;
    }
    static __device__ int colOf(int j) {
        return j / groupN * (BN / (TN / groupN)) + threadIdx.x % (BN / TN) * groupN + j % groupN;
    }

    // multiply adds the product of two slices.
    static __device__ __forceinline__ void multiply(T (&sum)[TM][TN], const T *A, const T *B) {
#pragma unroll
        for (int k = 0; k < BK; k++) {
            __align__(16) T a[TM];
            __align__(16) T b[TN];
#pragma unroll
            for (int i = 0; i < TM; i += groupM) take<groupM>(&a[i], &A[k * rowA + rowOf(i)]);
#pragma unroll
            for (int j = 0; j < TN; j += groupN) take<groupN>(&b[j], &B[k * rowB + colOf(j)]);
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++) sum[i][j] += a[i] * b[j];
        }
    }

    // Loader brings slices of a factor to shared memory: of size rows of the
    // result (of A, or columns, of B) and BK along the inner dimension. A thread
    // loads `chunk` elements at a time that are neighbours in memory.
    template <int size, int row, int chunk> struct Loader {
        static constexpr int loads = size * BK / threads / chunk;
        int at, k;            // in the slice, of the first load
        int nextAt, nextK;    // from load to load
        long from;            // the same in memory
        int next;
        int to, nextTo;       // and in shared memory

        // inner says that the inner dimension is the one along a row in memory.
        __device__ __forceinline__ Loader(long stride, bool inner, int first) {
            const int e = threadIdx.x * chunk;
            at = inner ? e / BK : e % size;
            k = inner ? e % BK : e / size;
            nextAt = inner ? threads * chunk / BK : 0;
            nextK = inner ? 0 : threads * chunk / size;
            from = inner ? (first + at) * stride + k : k * stride + first + at;
            next = (inner ? nextAt : nextK) * (int)stride;
            to = k * row + at;
            nextTo = nextK * row + nextAt;
        }
    };

    // whole walks over slices that lie wholly inside the factors, with loads of 16
    // bytes and nothing else but multiplications.
    template <bool transA, bool transB>
    static __device__ __forceinline__ void whole(T (&sum)[TM][TN], T *sh, int &buffer, const Product<T> &p, int row0,
                                                 int col0, int from, int until) {
        typedef typename Vector<T>::type V;
        typedef Loader<BM, rowA, width> LA;
        typedef Loader<BN, rowB, width> LB;
        const LA la(p.strideA, !transA, row0);
        const LB lb(p.strideB, transB, col0);
        const int advanceA = transA ? BK * (int)p.strideA : BK, advanceB = transB ? BK : BK * (int)p.strideB;
        const T *a = p.a + la.from + (transA ? from * p.strideA : from);
        const T *b = p.b + lb.from + (transB ? from : from * p.strideB);
        V nextA[LA::loads], nextB[LB::loads];
#pragma unroll
        for (int i = 0; i < LA::loads; i++) nextA[i] = __ldg((const V *)(a + i * la.next));
#pragma unroll
        for (int i = 0; i < LB::loads; i++) nextB[i] = __ldg((const V *)(b + i * lb.next));
#pragma unroll 1
        for (int left = (until - from) / BK; left > 0; left--) {
            T *A = sh + buffer, *B = A + sliceA;
#pragma unroll
            for (int i = 0; i < LA::loads; i++) keep<transA, rowA>(A + la.to + i * la.nextTo, nextA[i]);
#pragma unroll
            for (int i = 0; i < LB::loads; i++) keep<!transB, rowB>(B + lb.to + i * lb.nextTo, nextB[i]);
            __syncthreads();
            // The last slice is loaded again: a load without a condition can be
            // started before the multiplications.
            a += left > 1 ? advanceA : 0;
            b += left > 1 ? advanceB : 0;
#pragma unroll
            for (int i = 0; i < LA::loads; i++) nextA[i] = __ldg((const V *)(a + i * la.next));
#pragma unroll
            for (int i = 0; i < LB::loads; i++) nextB[i] = __ldg((const V *)(b + i * lb.next));
            multiply(sum, A, B);
            buffer = other - buffer;
        }
    }

    // keep stores 16 bytes of a factor, along a row of shared memory or down a column.
    template <bool along, int row> static __device__ __forceinline__ void keep(T *to, const typename Vector<T>::type &v) {
        if (along) *(typename Vector<T>::type *)to = v;
#pragma unroll
        for (int j = 0; j < (along ? 0 : width); j++) to[j * row] = ((const T *)&v)[j];
    }

    // guarded walks over any slices. Beyond the factors there are zeros. column
    // receives the sum of the elements of B that this thread loads, all of which
    // are of one column if B is not transposed.
    static __device__ __forceinline__ void guarded(T (&sum)[TM][TN], T *sh, int &buffer, const Product<T> &p, int row0,
                                                   int col0, int from, int until, bool columns, double &column) {
        typedef Loader<BM, rowA, 1> LA;
        typedef Loader<BN, rowB, 1> LB;
        const LA la(p.strideA, !p.transA, row0);
        const LB lb(p.strideB, p.transB, col0);
        const Act<T> act = {(int)p.kind, T(p.alpha), T(p.limit)};
        const bool savedA = p.saved && p.savedInA, savedB = p.saved && !p.savedInA;
        T nextA[LA::loads], nextB[LB::loads];
        auto load = [&](int k0) {
#pragma unroll
            for (int i = 0; i < LA::loads; i++) {
                const int m = row0 + la.at + i * la.nextAt, k = k0 + la.k + i * la.nextK;
                T v = T(0);
                if (m < p.m && k < until) {
                    v = p.a[p.transA ? k * p.strideA + m : m * p.strideA + k];
                    if (savedA) v = chain(v, p.saved[p.transA ? k * p.strideSaved + m : m * p.strideSaved + k], act);
                }
                nextA[i] = v;
            }
#pragma unroll
            for (int i = 0; i < LB::loads; i++) {
                const int n = col0 + lb.at + i * lb.nextAt, k = k0 + lb.k + i * lb.nextK;
                T v = T(0);
                if (n < p.n && k < until) {
                    v = p.b[p.transB ? n * p.strideB + k : k * p.strideB + n];
                    if (savedB) v = chain(v, p.saved[p.transB ? n * p.strideSaved + k : k * p.strideSaved + n], act);
                }
                nextB[i] = v;
            }
        };
        // Large tiles leave no registers for the next slice.
        constexpr bool ahead = TM * TN < 64;
        if (ahead && from < until) load(from);
#pragma unroll 1
        for (int k0 = from; k0 < until; k0 += BK) {
            if (!ahead) load(k0);
            T *A = sh + buffer, *B = A + sliceA;
#pragma unroll
            for (int i = 0; i < LA::loads; i++) A[la.to + i * la.nextTo] = nextA[i];
#pragma unroll
            for (int i = 0; i < LB::loads; i++) {
                B[lb.to + i * lb.nextTo] = nextB[i];
                if (columns) column += (double)nextB[i];
            }
            __syncthreads();
            if (ahead && k0 + BK < until) load(k0 + BK);
            multiply(sum, A, B);
            buffer = other - buffer;
        }
    }

    // product computes one of p's blocks in shared memory of `shared` elements.
    static __device__ __forceinline__ void product(const Product<T> &p, int block, T *sh) {
        const int tilesN = (int)((p.n + BN - 1) / BN), tiles = (int)((p.m + BM - 1) / BM) * tilesN;
        const int split = block / tiles, tile = block % tiles;
        const int row0 = tile / tilesN * BM, col0 = tile % tilesN * BN;
        const int slices = (int)((p.k + BK - 1) / BK), splits = (int)p.splits;
        const int from = slices * split / splits * BK, end = slices * (split + 1) / splits * BK;
        const int until = end < p.k ? end : (int)p.k;
        const bool columns = p.sums && row0 == 0;

        T sum[TM][TN] = {};
        double column = 0;
        int buffer = 0;  // where it begins: 0 or other
        int k0 = from;
        if (!p.saved && !columns && !(p.transA && p.transB) && row0 + BM <= p.m && col0 + BN <= p.n && until - from >= BK && aligned(p.a, p.strideA) &&
            aligned(p.b, p.strideB)) {
            k0 += (until - from) / BK * BK;
            if (p.transA)
                whole<true, false>(sum, sh, buffer, p, row0, col0, from, k0);
            else if (p.transB)
                whole<false, true>(sum, sh, buffer, p, row0, col0, from, k0);
            else
                whole<false, false>(sum, sh, buffer, p, row0, col0, from, k0);
        }
        guarded(sum, sh, buffer, p, row0, col0, k0, until, columns, column);

        const int t = threadIdx.x;
        if (columns) {
            // Threads that loaded from the same column lie BN apart.
            double *sums = (double *)sh;
            __syncthreads();
            sums[t] = column;
            __syncthreads();
            if (t < BN) {
                for (int i = t + BN; i < threads; i += BN) column += sums[i];
                if (col0 + t < p.n) {
                    if (p.splits > 1)
                        p.sumParts[split * p.n + col0 + t] = column;
                    else
                        p.sums[col0 + t] = T(column);
                }
            }
        }
        if (p.splits > 1) {
            for (int i = 0; i < TM; i++)
                for (int j = 0; j < TN; j++) {
                    const int m = row0 + rowOf(i), n = col0 + colOf(j);
                    if (m < p.m && n < p.n) p.parts[(split * p.m + m) * p.n + n] = sum[i][j];
                }
            if (!isLast(p.arrived + tile, (unsigned)p.splits)) return;
            if (columns && t < BN && col0 + t < p.n) {
                column = 0;
                for (int s = 0; s < p.splits; s++) column += ((volatile double *)p.sumParts)[s * p.n + col0 + t];
                p.sums[col0 + t] = T(column);
            }
        }
        const Act<T> act = {p.saved ? Identity : (int)p.kind, T(p.alpha), T(p.limit)};
#pragma unroll
        for (int i = 0; i < TM; i++)
#pragma unroll
            for (int j = 0; j < TN; j++) {
                const int m = row0 + rowOf(i), n = col0 + colOf(j);
                if (m >= p.m || n >= p.n) continue;
                T v = sum[i][j];
                if (p.splits > 1) {
                    v = T(0);
                    for (int s = 0; s < p.splits; s++) v += ((volatile T *)p.parts)[(s * p.m + m) * p.n + n];
                }
                if (p.bias) v += p.bias[n];
                if (p.z) p.z[m * p.strideZ + n] = v;
                p.y[p.transY ? n * p.strideY + m : m * p.strideY + n] = activate(v, act);
            }
    }
};

// What a block of a launch computes.
#define PRODUCT_OF(T, ...)                                                                    \
    typedef Tile<T, __VA_ARGS__> tile;                                                        \
    __shared__ __align__(16) T sh[tile::shared];

#define PRODUCTS(T, suffix, size, ...)                                                        \
    KERNEL_WITH_BARRIERS(products_##size##suffix, Products<T> p) {                            \
        PRODUCT_OF(T, __VA_ARGS__)                                                            \
        const int before = (int)p.first.blocks;                                               \
        const bool second = blockIdx.x >= before;                                             \
        tile::product(second ? p.second : p.first, blockIdx.x - (second ? before : 0), sh);   \
    }
