// CUDA C++ for the host compiler: what the kernels use of the language, with
// the threads of a block emulated one after another, or as fibers where they
// wait for each other.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#define __device__
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline
#define __shared__ static  // blocks run one at a time
#define __align__(n) __attribute__((aligned(n)))

using std::erfc;
using std::exp;
using std::fabs;
using std::isfinite;
using std::log;
using std::log1p;
using std::sqrt;
using std::tanh;

struct float2 { float x, y; } __align__(8);
struct float4 { float x, y, z, w; } __align__(16);
struct double2 { double x, y; } __align__(16);
template <class T> const T &__ldg(const T *p) {
    // As on the card, a load of 16 bytes must be aligned.
    if (reinterpret_cast<uintptr_t>(p) % sizeof(T)) __builtin_trap();
    return *p;
}

struct Index { unsigned int x, y, z; };
extern Index blockIdx, blockDim, gridDim;
extern Index threadIdx;

namespace sim {

// wait suspends the thread until all threads of the block, or of its warp, wait.
void waitBlock();
void waitWarp();
// dynamicShared is the shared memory of which the launch says how much it is.
constexpr unsigned mostDynamic = 227 << 10;
extern unsigned dynamicBytes;
extern unsigned char dynamicShared[mostDynamic];
// exchange is where the threads of a warp hand values to each other.
extern uint64_t exchange[1024];

template <class T> T shuffle(T v, int from) {
    const unsigned t = threadIdx.x;
    memcpy(&exchange[t], &v, sizeof v);
    waitWarp();
    memcpy(&v, &exchange[t - t % 32 + from], sizeof v);
    waitWarp();
    return v;
}

// Kernel is an entry point that can be called with its arguments, each of which
// begins at a multiple of 8 bytes.
struct Kernel {
    const char *name;
    void (*call)(void (*function)(), const uint64_t *args);
    void (*function)();
    std::vector<int> params;  // the size of each
    bool barriers;
    Kernel *next;
};
extern Kernel *kernels;

template <class T> T argument(const uint64_t *slot) {
    T v;
    memcpy(&v, slot, sizeof v);
    return v;
}
// slotOf is where argument i begins.
template <class... A> constexpr int slotOf(int i) {
    const int sizes[] = {int(sizeof(A))...};
    int slot = 0;
    for (int j = 0; j < i; j++) slot += (sizes[j] + 7) / 8;
    return slot;
}

template <class... A> struct Caller {
    template <int... I> struct Seq {};
    template <int N, int... I> struct Make : Make<N - 1, N - 1, I...> {};
    template <int... I> struct Make<0, I...> { typedef Seq<I...> type; };
    template <int... I> static void expand(void (*f)(A...), const uint64_t *args, Seq<I...>) {
        f(argument<A>(args + slotOf<A...>(I))...);
    }
    static void call(void (*f)(), const uint64_t *args) {
        expand(reinterpret_cast<void (*)(A...)>(f), args, typename Make<sizeof...(A)>::type());
    }
};

struct Register {
    Kernel kernel;
    template <class... A> Register(const char *name, void (*f)(A...), bool barriers)
        : kernel{name, Caller<A...>::call, reinterpret_cast<void (*)()>(f), {int(sizeof(A))...}, barriers, kernels} {
        kernels = &kernel;
    }
};

}  // namespace sim

#define SIM_KERNEL(name, barriers, ...)                            \
    static void name(__VA_ARGS__);                                 \
    static sim::Register register_##name(#name, name, barriers);   \
    static void name(__VA_ARGS__)
#define KERNEL(name, ...) SIM_KERNEL(name, false, __VA_ARGS__)
#define KERNEL_WITH_BARRIERS(name, ...) SIM_KERNEL(name, true, __VA_ARGS__)
#define KERNEL_FOR_TWO KERNEL_WITH_BARRIERS

#define DYNAMIC_SHARED() sim::dynamicShared

inline unsigned __float_as_uint(float v) {
    unsigned bits;
    memcpy(&bits, &v, 4);
    return bits;
}
inline void __syncthreads() { sim::waitBlock(); }
inline void __threadfence() {}
template <class T> T __shfl_xor_sync(unsigned, T v, int lane) { return sim::shuffle(v, (threadIdx.x % 32) ^ lane); }
inline unsigned int atomicInc(unsigned int *p, unsigned int limit) {
    unsigned int old = *p;
    *p = old >= limit ? 0 : old + 1;
    return old;
}
