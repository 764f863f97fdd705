// What all kernels share. Each .cu file is compiled twice: to PTX by nvcc, and
// by g++ into the stand-in driver, where host.h emulates blocks and threads.
#pragma once

#ifdef __CUDACC__
// KERNEL defines an entry point. Kernels that use barriers or shuffles say
// KERNEL_WITH_BARRIERS, which costs nothing here and much in the stand-in.
#define KERNEL(name, ...) extern "C" __global__ void __launch_bounds__(256) name(__VA_ARGS__)
#define KERNEL_WITH_BARRIERS KERNEL
// KERNEL_FOR_TWO keeps to registers of which two blocks fit on a multiprocessor.
#define KERNEL_FOR_TWO(name, ...) extern "C" __global__ void __launch_bounds__(256, 2) name(__VA_ARGS__)
// DYNAMIC_SHARED is the shared memory of which a launch says how much it is.
extern __shared__ __align__(16) unsigned char dynamicShared[];
#define DYNAMIC_SHARED() dynamicShared
#else
#include "host.h"
#endif

// All kernels run with this many threads in a block.
constexpr int threads = 256;
constexpr int warp = 32;

// first and step walk an array with all threads of the grid.
__device__ inline long first() { return (long)blockIdx.x * threads + threadIdx.x; }
__device__ inline long step() { return (long)gridDim.x * threads; }

// warpSum returns the sum of v over the warp, to every lane of it.
template <class T> __device__ T warpSum(T v) {
    for (int lane = warp / 2; lane > 0; lane /= 2) v += __shfl_xor_sync(0xffffffffu, v, lane);
    return v;
}

template <class T> __device__ T warpMax(T v) {
    for (int lane = warp / 2; lane > 0; lane /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, v, lane);
        if (!(other <= v)) v = other;  // a NaN wins
    }
    return v;
}

// Sum adds up float64 numbers and carries along what each addition rounds off
// (Neumaier, 1974), so that long sums are as good as short ones.
struct Sum {
    double sum = 0, rest = 0;

    __device__ void add(double v) {
        const double t = sum + v;
        rest += fabs(sum) >= fabs(v) ? (sum - t) + v : (v - t) + sum;
        sum = t;
    }
    // An infinite sum has a NaN for its rest.
    __device__ double total() const { return isfinite(sum) ? sum + rest : sum; }
};

// blockSum returns the sum of v over the block, to thread 0.
__device__ inline double blockSum(double v) {
    __shared__ double sums[threads / warp];
    v = warpSum(v);
    if (threadIdx.x % warp == 0) sums[threadIdx.x / warp] = v;
    __syncthreads();
    v = 0;
    if (threadIdx.x < warp) {
        if (threadIdx.x < threads / warp) v = sums[threadIdx.x];
        v = warpSum(v);
    }
    __syncthreads();
    return v;
}

// isLast reports, to all threads of a block, whether it is the last of count
// blocks that come here; it then sees what the others have written. The counter
// is zero before and afterwards.
__device__ inline bool isLast(unsigned int *arrived, unsigned int count) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(arrived, count - 1) == count - 1;
    __syncthreads();
    return last;
}

// Total is where a sum over the grid goes: blocks leave their parts, and the
// block that comes last adds them in the order of the blocks, so that the sum
// does not depend on which that is.
struct Total {
    double *parts;         // one for each block
    unsigned int *arrived;  // zero between launches
    double *results;       // results[slot] receives the sum; with nullptr nobody wants it
    const long *slot;      // nullptr stands for slot 0
};

// gridSum stores the sum of v over all threads of the grid, divided by count
// and rounded to T.
template <class T> __device__ void gridSum(double v, double count, Total total) {
    if (!total.results) return;
    v = blockSum(v);
    if (threadIdx.x == 0) ((volatile double *)total.parts)[blockIdx.x] = v;
    if (!isLast(total.arrived, gridDim.x)) return;
    v = 0;
    for (int i = threadIdx.x; i < gridDim.x; i += threads) v += ((volatile double *)total.parts)[i];
    v = blockSum(v);
    if (threadIdx.x == 0) total.results[total.slot ? *total.slot : 0] = (double)(T)(v / count);
}
