// What the kernels that ptx.py translates from PTX to C++ are made of: memory
// that is checked at every access, and the instructions that C++ has no operator for.
#pragma once
#include <cfenv>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#include "grid.h"
#include "state.h"

namespace ptx {

// A block's shared memory, and for each word of it who touched it last, and after
// how many barriers. A kernel has sharedBytes of it.
constexpr size_t mostShared = 228 << 10;
alignas(16) inline char shared[mostShared];  // blocks run one at a time
struct Touch { uint64_t wrote, read; unsigned writer, reader; bool readers; };
inline Touch touches[mostShared / 4];
inline uint32_t sharedBytes;
inline const char *kernel;

[[noreturn]] inline void broken(const char *what, uint64_t at) {
    sim::violation("%s: %s at %#llx by thread %u of block %u, %u", kernel, what, (unsigned long long)at, threadIdx.x,
                   blockIdx.x, blockIdx.y);
    abort();
}

// Range is the allocation that an instruction touched last.
struct Range { uintptr_t from = 1, to = 0; long generation = -1; };

template <class T> inline T *global(Range &known, uint64_t base, int64_t offset, int count = 1) {
    const uintptr_t a = base + offset, bytes = sizeof(T) * count;
    if (a % bytes) broken("misaligned access to memory", a);
    if (known.generation != sim::generation || a < known.from || a + bytes > known.to) {
        known.generation = sim::generation;
        if (!sim::allocationAt(a, known.from, known.to) || a + bytes > known.to)
            broken("access outside of all allocations", a);
    }
    return reinterpret_cast<T *>(a);
}

// Two threads that touch a word, one of them writing, without a barrier of the
// block in between, are a race. `moment` grows with every barrier and block.
template <class T, bool writes> inline T *local(uint32_t base, int64_t offset, int count = 1) {
    const uint32_t a = base + (int32_t)offset, bytes = sizeof(T) * count;
    if (a % bytes || a + bytes > sharedBytes) broken("bad access to shared memory", a);
    const uint64_t moment = sim::moment();
    const unsigned me = threadIdx.x;
    for (uint32_t w = a / 4; w < (a + bytes + 3) / 4; w++) {
        Touch &t = touches[w];
        if (t.wrote == moment && t.writer != me && bytes >= 4) broken("race in shared memory", a);
        if (writes) {
            if (t.read == moment && (t.readers || t.reader != me) && bytes >= 4) broken("race in shared memory", a);
            t.wrote = moment, t.writer = me;
        } else {
            t.readers = t.read == moment && (t.readers || t.reader != me);
            t.read = moment, t.reader = me;
        }
    }
    return reinterpret_cast<T *>(shared + a);
}

// An address without a state space is of global or of shared memory.
template <class T, bool writes> inline T *generic(Range &known, uint64_t base, int64_t offset, int count = 1) {
    const uint64_t a = base + offset, begin = reinterpret_cast<uint64_t>(shared);
    if (a >= begin && a < begin + mostShared) return local<T, writes>(uint32_t(a - begin), 0, count);
    return global<T>(known, base, offset, count);
}

template <class To, class From> inline To bits(From v) {
    static_assert(sizeof(To) <= sizeof(From) || std::is_integral<From>::value, "");
    To t;
    if constexpr (sizeof(To) > sizeof(From)) {
        t = To(v);
    } else {
        memcpy(&t, &v, sizeof t);
    }
    return t;
}
inline float f32(uint32_t v) { return bits<float>(v); }
inline double f64(uint64_t v) { return bits<double>(v); }

template <class To, class A, class B> inline To pack(A low, B high) {
    return bits<To>(uint64_t(bits<uint32_t>(high)) << 32 | bits<uint32_t>(low));
}
template <class From, class A, class B> inline void unpack(From v, A &low, B &high) {
    const uint64_t all = bits<uint64_t>(v);
    low = bits<A>(uint32_t(all)), high = bits<B>(uint32_t(all >> 32));
}

template <class T> inline T shiftLeft(T v, uint32_t n) { return n >= sizeof(T) * 8 ? 0 : v << n; }
template <class T> inline T shiftRight(T v, uint32_t n) {
    if (n < sizeof(T) * 8) return v >> n;
    return v < 0 ? T(-1) : T(0);
}
template <class T> inline bool unordered(T a, T b) { return a != a || b != b; }
inline float saturate(float v) { return v > 0 ? (v < 1 ? v : 1.f) : 0.f; }

// rounding computes with another direction than to nearest.
template <class F> __attribute__((noinline)) float rounding(int direction, F compute) {
    const int before = fegetround();
    fesetround(direction);
    volatile float v = compute();
    fesetround(before);
    return v;
}
inline float fmaDown(volatile float a, volatile float b, volatile float c) {
    return rounding(FE_DOWNWARD, [&] { return __builtin_fmaf(a, b, c); });
}
inline float addToZero(volatile float a, volatile float b) {
    return rounding(FE_TOWARDZERO, [&] { return a + b; });
}

// The approximate instructions, off by up to the two units in the last place
// that the card's may be off by: by a fixed function of the input.
inline float flushed(float v) { return std::fabs(v) < 1.17549435e-38f ? std::copysign(0.f, v) : v; }
inline float disturbed(float v, float in) {
    if (!std::isfinite(v) || v == 0) return v;
    uint32_t s = bits<uint32_t>(in);
    s = (s ^ s >> 16) * 0x7feb352du;
    s = (s ^ s >> 15) * 0x846ca68bu;
    return bits<float>(bits<uint32_t>(v) + int(s % 5) - 2);
}
inline float ex2(float v) {
    v = flushed(v);
    const float r = exp2f(v);
    return flushed(v == rintf(v) ? r : disturbed(r, v));
}
inline float rcp(float v) {
    v = flushed(v);
    const float r = 1.f / v;
    return flushed(bits<uint32_t>(v) & 0x7fffff ? disturbed(r, v) : r);
}
// In float64 only the upper words count.
inline double upper(double v) {
    uint64_t u = bits<uint64_t>(v) & ~0xffffffffull;
    if ((u >> 52 & 0x7ff) == 0) u &= 1ull << 63;
    return f64(u);
}
inline double rcp(double v) { return upper(1 / upper(v)); }

// Struct is a parameter that is passed by value.
template <int n> struct Struct { alignas(8) unsigned char data[n]; };

// Entry notes that a kernel has been launched, whose shared memory has this many
// bytes besides those that the launch asks for.
struct Entry {
    const char *name;
    bool launched = false;
    void note(uint32_t bytes) {
        kernel = name;
        sharedBytes = bytes + sim::dynamicBytes;
        if (launched) return;
        launched = true;
        if (const char *path = getenv("CUDASIM_LAUNCHED"))
            if (FILE *f = fopen(path, "a")) {
                fprintf(f, "%s\n", name);
                fclose(f);
            }
    }
};

}  // namespace ptx
