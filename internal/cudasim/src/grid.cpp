// Runs a kernel: its blocks one after another, the threads of a block either
// one after another or, where they wait for each other, as fibers that take
// turns. In shuffled order, threads and blocks come in another order each time,
// which shows a missing barrier as a wrong result.
#include "grid.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

Index blockIdx, blockDim, gridDim;
Index threadIdx;

namespace sim {

Kernel *kernels;
uint64_t exchange[1024];
unsigned dynamicBytes;
alignas(16) unsigned char dynamicShared[mostDynamic];

namespace {

constexpr size_t stackSize = 64 << 10;

// Fiber is a thread of the block that runs on a stack of its own. Only the stack
// pointer is kept: the switch saves the rest on the stack.
struct Fiber {
    void *sp;
    char *stack;
    bool done;
    uint64_t barriers;  // of the block, that it has passed
};

Fiber fibers[1024];
uint64_t blocksRun;
void *scheduler;
int current;
const Kernel *running;
const uint64_t *arguments;

extern "C" void sim_switch(void **from, void *to);
extern "C" void sim_fiber();

#if defined(__x86_64__)
asm(R"(
.text
.type sim_switch,@function
sim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
void prepare(Fiber &f) {
    // The stack as sim_switch leaves it: six registers, then where to return to.
    void **top = reinterpret_cast<void **>(f.stack + stackSize);
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(sim_fiber);
    top -= 6;
    std::fill(top, top + 6, nullptr);
    f.sp = top;
}
#elif defined(__aarch64__)
asm(R"(
.text
.type sim_switch,@function
sim_switch:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
void prepare(Fiber &f) {
    void **top = reinterpret_cast<void **>(f.stack + stackSize - 160);
    std::fill(top, top + 20, nullptr);
    top[11] = reinterpret_cast<void *>(sim_fiber);
    f.sp = top;
}
#else
#error "no fibers for this processor"
#endif

extern "C" void sim_fiber() {
    running->call(running->function, arguments);
    Fiber &f = fibers[current];
    f.done = true;
    sim_switch(&f.sp, scheduler);
    abort();
}

void yield() {
    Fiber &f = fibers[current];
    sim_switch(&f.sp, scheduler);
}

// Each thread of a block, or of a warp, must reach the same number of barriers.
[[noreturn]] void diverged(const char *what) {
    fprintf(stderr, "cudasim: kernel %s: %s\n", running->name, what);
    abort();
}

std::vector<unsigned> order(unsigned n, bool shuffled) {
    static std::mt19937 random(1);
    std::vector<unsigned> o(n);
    std::iota(o.begin(), o.end(), 0u);
    if (shuffled) std::shuffle(o.begin(), o.end(), random);
    return o;
}

bool inBlock, inWarp;

void runFibers(unsigned count, bool shuffled) {
    for (unsigned t = 0; t < count; t++) {
        if (!fibers[t].stack)
            fibers[t].stack = static_cast<char *>(
                mmap(nullptr, stackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        fibers[t].done = false;
        fibers[t].barriers = 0;
        prepare(fibers[t]);
    }
    const std::vector<unsigned> turns = order(count, shuffled);
    // Warps take turns between the barriers of the block; the threads of a warp
    // take turns between the barriers of the warp.
    std::vector<unsigned> warps = order((count + 31) / 32, shuffled);
    for (unsigned left = count; left > 0;) {
        for (unsigned w : warps) {
            const unsigned end = std::min(count, w * 32 + 32);
            for (bool again = true; again;) {
                again = false;
                unsigned finished = 0, waiting = 0, atBlock = 0;
                for (unsigned i = 0; i < count; i++) {
                    const unsigned t = turns[i];
                    if (t / 32 != w) continue;
                    if (fibers[t].done) { finished++; continue; }
                    current = int(t);
                    threadIdx = {t, 0, 0};
                    inBlock = inWarp = false;
                    sim_switch(&scheduler, fibers[t].sp);
                    if (fibers[t].done) { finished++; left--; }
                    else if (inWarp) waiting++;
                    else atBlock++;
                }
                if (waiting > 0 && waiting != end - w * 32) diverged("threads of a warp shuffle without each other");
                if (waiting > 0) again = true;
                if (atBlock > 0 && finished > 0) diverged("a thread ended while others wait at a barrier");
            }
        }
        for (unsigned t = 1; t < count; t++)
            if (fibers[t].done != fibers[0].done) diverged("a thread ended while others wait at a barrier");
    }
}

}  // namespace

void waitBlock() {
    if (!running->barriers) diverged("__syncthreads in a kernel that was not declared with barriers");
    inBlock = true;
    yield();
    fibers[current].barriers++;
}

void waitWarp() {
    if (!running->barriers) diverged("a shuffle in a kernel that was not declared with barriers");
    inWarp = true;
    yield();
}

uint64_t moment() { return blocksRun << 20 | (running->barriers ? fibers[current].barriers : 0); }

void runKernel(const Kernel &kernel, const uint64_t *args, Index grid, Index block, unsigned shared, bool shuffled) {
    running = &kernel;
    dynamicBytes = shared;
    arguments = args;
    gridDim = grid;
    blockDim = block;
    const unsigned count = block.x;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x : order(grid.x, shuffled)) {
                blockIdx = {x, y, z};
                blocksRun++;
                memset(dynamicShared, 0xff, shared);  // as shared memory begins: with whatever it holds
                if (kernel.barriers) {
                    runFibers(count, shuffled);
                    continue;
                }
                for (unsigned t = 0; t < count; t++) {
                    threadIdx = {t, 0, 0};
                    kernel.call(kernel.function, args);
                }
            }
}

}  // namespace sim
