// What the files of the stand-in driver share.
#pragma once
#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "host.h"

#define API extern "C" __attribute__((visibility("default")))

namespace sim {

// Knobs are set from the environment variable CUDASIM, a list such as
// "lazy,protect,shuffle,fail_alloc=3", or by cudasim_set.
struct Knobs {
    long lazy = 0;    // work runs only when something waits for it
    long protect = 0; // the host cannot touch memory that it has no right to
    long shuffle = 0; // threads and blocks run in random order
    long devices = 2;
    long fail_alloc = 0;  // the n-th allocation from now on fails
    long lost_after = 0;  // after n more calls the device is lost
    long kernel_fails = 0;  // the n-th kernel from now on fails while it runs: a later call reports it
    long processors = 4;    // multiprocessors of each card
    long concurrent = 1;    // host and device may use managed memory at the same time
    long pages = 0;         // count the pages of managed memory that move between host and device
    long kernel_us = 10, product_us = 4;  // what events measure
    long lt_refuses = 0;    // epilogues that cublasLt has no way for, as the sum of their numbers
};

// Counters count since the start, or since cudasim_reset.
struct Counters {
    long host_to_device_bytes, device_to_host_bytes, device_to_device_bytes, copies, memsets;
    long launches;        // by cuLaunchKernel, captured ones not counted
    long graph_launches;  // by cuGraphLaunch
    long kernels;         // kernels run, in graphs too
    long graphs;          // graphs instantiated
    long cubins, jitted;  // modules loaded, as machine code or as PTX
    long products;        // by the stand-in cublasLt
    long synchronizations, allocations, frees, calls;
    long bytes;      // allocated now
    long pages_to_device, pages_to_host;  // of managed memory, with the knob pages
    long violations; // of CUDA's rules
};

extern Knobs knobs;
extern Counters counters;
extern std::recursive_mutex lock;
extern CUresult lost;  // what every call answers after the device is lost

// lose loses the device: from now on every call answers with this error.
void lose(CUresult error);

// violation reports a broken rule.
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Handles are objects of a context that must be alive and used in it.
struct Context;
struct Handle {
    const char *kind;
    Context *context;
    Handle(const char *kind, Context *context);
    virtual ~Handle();
};
struct Context : Handle {
    int device;
    int retained = 0;
    explicit Context(int device);
};
extern std::set<Handle *> handles;

// check returns the object behind a handle if it is alive, of that kind and of
// the current context, and reports a violation otherwise.
template <class T, class H> T *check(H handle, const char *kind, const char *call) {
    extern Handle *checkHandle(void *, const char *, const char *);
    return static_cast<T *>(checkHandle((void *)handle, kind, call));
}
Context *currentContext();

// Work is a piece of work for a stream.
struct Work {
    std::function<void()> run;
    std::vector<uintptr_t> touches;  // numbers that may be addresses of memory that it touches
    bool everything = false;         // it reads addresses from memory, and may touch anything
    bool kernel = false;
};
struct Graph : Handle {
    std::vector<Work> work;
    explicit Graph(const char *kind, Context *c) : Handle(kind, c) {}
};
struct Stream : Handle {
    bool blocking;
    std::deque<Work> queue;
    Graph *capture = nullptr;
    bool broken = false;  // capture was invalidated
    std::thread::id capturer;
    Stream(Context *c, bool blocking) : Handle("stream", c), blocking(blocking) {}
};
struct Event : Handle {
    long recorded = 0, reached = 0;
    Stream *stream = nullptr;
    double at = 0;
    explicit Event(Context *c) : Handle("event", c) {}
};

CUresult submit(CUstream stream, Work work, const char *call);
void drain(Stream *s);
void drainAll(Context *c);
void dropAll();  // what a lost device has not done, it never will
// onNullStream waits for the streams that the default stream waits for.
void onNullStream(Context *c);
// breaksCapture reports, and breaks, the capture of this thread, in which a call
// is not allowed.
bool breaksCapture(const char *call);
// breaksFirstUse does the same for the first use of something that is loaded then.
bool breaksFirstUse(const char *what);
// inUse reports whether work that is pending touches any of these addresses.
bool inUse(uintptr_t from, uintptr_t to);

// Memory.
enum class Memory { pageable, device, managed, pinned };
Memory memoryAt(const void *p, size_t bytes, const char *call);
// allocationAt finds the allocation that p lies in. generation grows when any
// begins or ends.
bool allocationAt(uintptr_t p, uintptr_t &from, uintptr_t &to);
extern long generation;
// busy notes that work that touches these addresses is pending; idle that none is.
void busy(const Work &work);
void idle();
// protectForHost and openForDevice let the host, or the device, touch what it may.
void protectForHost();
void openForDevice();
// countPages starts counting pages that move; see the knob pages.
void countPages();

// entry begins every call: it counts it and returns an error if the device is
// lost or the thread has no context.
CUresult entry(const char *call, bool needsContext);

}  // namespace sim

#define ENTER_WITH(needsContext)                              \
    std::lock_guard<std::recursive_mutex> guard(sim::lock); \
    if (CUresult failed = sim::entry(__func__, needsContext)) return failed
#define ENTER() ENTER_WITH(true)
#define ENTER_WITHOUT_CONTEXT() ENTER_WITH(false)
