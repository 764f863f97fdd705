//go:build gpu

// The driver's functions, as small pieces of code that jump through a table.
// The table is filled from libcuda.so.1 when a device is opened. A program made
// this way starts where there is no driver, and needs none to be linked.
#define _GNU_SOURCE
#include "driver.h"

#include <dlfcn.h>
#include <pthread.h>

#include "symbols.h"

#define QUOTE(x) #x
#define NAME(function) QUOTE(function)

#if defined(__x86_64__)
#define JUMP(name) "jmp *affine." name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, affine." name "\nldr x16, [x16, :lo12:affine." name "]\nbr x16\n"
#else
#error "no jumps for this processor"
#endif

// Hidden, so that no library of this process takes them for the real ones.
#define FORWARD(function)                                                        \
    __asm__(".data\n.balign 8\n"                                                 \
            "affine." NAME(function) ": .quad affine_missing\n"                  \
            ".text\n.globl " NAME(function) "\n.hidden " NAME(function) "\n"     \
            ".type " NAME(function) ",%function\n" NAME(function) ":\n"          \
            JUMP(NAME(function)) ".size " NAME(function) ",.-" NAME(function));
FOR_EACH_FUNCTION(FORWARD)

// affine_missing answers for functions that the driver does not have.
__attribute__((used, visibility("hidden"))) CUresult affine_missing(void) { return CUDA_ERROR_NOT_INITIALIZED; }

static int opened = -1;

static void load(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    CUresult (*init)(unsigned) = (CUresult(*)(unsigned))dlsym(library, "cuInit");
    if (!init) return;
#define RESOLVE(function)                                                     \
    {                                                                         \
        extern void *slot_##function __asm__("affine." NAME(function));       \
        void *found = dlsym(library, NAME(function));                         \
        if (found) slot_##function = found;                                   \
    }
    FOR_EACH_FUNCTION(RESOLVE)
    opened = (int)init(0);
}

int affine_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return opened;
}

// cu calls cuInit when the program starts, and ends the program if that fails.
// The real call waits for affine_open.
__attribute__((visibility("hidden"))) CUresult cuInit(unsigned flags) {
    (void)flags;
    return CUDA_SUCCESS;
}

static CUresult submit(CUstream stream, const affine_work *w) {
    switch (w->kind) {
    case AFFINE_LAUNCH: {
        void *params[AFFINE_ARGS];
        for (int i = 0; i < AFFINE_ARGS; i++) params[i] = (void *)&w->args[i];
        return cuLaunchKernel((CUfunction)(uintptr_t)w->function, w->gridX, w->gridY, 1, w->block, 1, 1, w->shared, stream, params, 0);
    }
    case AFFINE_COPY:  // to, from, bytes; with unified addresses, either may be the host's
        return cuMemcpyAsync(w->args[0], w->args[1], w->args[2], stream);
    case AFFINE_COPY_ROWS: {  // to, its stride, from, its stride, bytes of a row, rows, whether to is the host's
        CUDA_MEMCPY2D c = {0};
        int toHost = w->args[6] != 0;
        c.dstMemoryType = toHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        c.srcMemoryType = toHost ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        if (toHost) {
            c.dstHost = (void *)(uintptr_t)w->args[0];
            c.srcDevice = w->args[2];
        } else {
            c.dstDevice = w->args[0];
            c.srcHost = (const void *)(uintptr_t)w->args[2];
        }
        c.dstPitch = w->args[1];
        c.srcPitch = w->args[3];
        c.WidthInBytes = w->args[4];
        c.Height = w->args[5];
        return cuMemcpy2DAsync(&c, stream);
    }
    case AFFINE_CLEAR:
        return cuMemsetD8Async(w->args[0], 0, w->args[1], stream);
    }
    return CUDA_ERROR_INVALID_VALUE;
}

static CUresult submitAll(CUstream stream, const affine_work *work, int n) {
    CUresult error = CUDA_SUCCESS;
    for (int i = 0; i < n && error == CUDA_SUCCESS; i++) {
        if (work[i].kind != AFFINE_PRODUCT) {
            error = submit(stream, &work[i]);
            continue;
        }
        const int rest = (int)work[i].args[AFFINE_PRODUCT_REST], instead = (int)work[i].args[AFFINE_PRODUCT_INSTEAD];
        if (affine_lt_submit(stream, &work[i]) == 0) {
            error = submitAll(stream, &work[i + 1], rest);
            i += rest + instead;
        } else {
            i += rest;
        }
    }
    return error;
}

CUresult affine_submit(uintptr_t context, uintptr_t stream, const affine_work *work, int n, int wait) {
    CUresult error = cuCtxSetCurrent((CUcontext)context);
    if (error == CUDA_SUCCESS) error = submitAll((CUstream)stream, work, n);
    // Memory may be released after the wait, so that one failure does not prevent it.
    if (wait && (error == CUDA_SUCCESS || cuCtxSetCurrent((CUcontext)context) == CUDA_SUCCESS)) {
        CUresult waited = cuStreamSynchronize((CUstream)stream);
        if (error == CUDA_SUCCESS) error = waited;
    }
    return error;
}

CUresult affine_capture(uintptr_t context, uintptr_t stream, const affine_work *work, int n, uintptr_t *exec) {
    CUresult error = cuCtxSetCurrent((CUcontext)context);
    if (error != CUDA_SUCCESS) return error;
    error = cuStreamBeginCapture((CUstream)stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    if (error != CUDA_SUCCESS) return error;
    error = submitAll((CUstream)stream, work, n);
    CUgraph graph = 0;
    CUresult ended = cuStreamEndCapture((CUstream)stream, &graph);
    if (error == CUDA_SUCCESS) error = ended;
    if (error == CUDA_SUCCESS) error = cuGraphInstantiateWithFlags((CUgraphExec *)exec, graph, 0);
    if (graph) cuGraphDestroy(graph);
    return error;
}

CUresult affine_replay(uintptr_t context, uintptr_t stream, uintptr_t exec) {
    CUresult error = cuCtxSetCurrent((CUcontext)context);
    return error != CUDA_SUCCESS ? error : cuGraphLaunch((CUgraphExec)exec, (CUstream)stream);
}

enum { TIMED_RUNS = 3 };

CUresult affine_time(uintptr_t context, uintptr_t stream, const affine_work *work, int n, float *ms) {
    CUresult error = affine_submit(context, stream, work, n, 0);  // warms up
    CUevent begin = 0, end = 0;
    if (error == CUDA_SUCCESS) error = cuEventCreate(&begin, CU_EVENT_DEFAULT);
    if (error == CUDA_SUCCESS) error = cuEventCreate(&end, CU_EVENT_DEFAULT);
    for (int i = 0; i < TIMED_RUNS && error == CUDA_SUCCESS; i++) {
        float one = 0;
        error = cuEventRecord(begin, (CUstream)stream);
        if (error == CUDA_SUCCESS) error = submitAll((CUstream)stream, work, n);
        if (error == CUDA_SUCCESS) error = cuEventRecord(end, (CUstream)stream);
        if (error == CUDA_SUCCESS) error = cuEventSynchronize(end);
        if (error == CUDA_SUCCESS) error = cuEventElapsedTime(&one, begin, end);
        if (i == 0 || one < *ms) *ms = one;
    }
    if (begin) cuEventDestroy(begin);
    if (end) cuEventDestroy(end);
    // The caller frees what the work uses.
    if (error != CUDA_SUCCESS) cuStreamSynchronize((CUstream)stream);
    return error;
}

CUresult affine_load(const void *image, CUmodule *module, char *log, unsigned size) {
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)(uintptr_t)size};
    log[0] = 0;
    return cuModuleLoadDataEx(module, image, 2, options, values);
}

CUresult affine_destroy(uintptr_t exec) { return cuGraphExecDestroy((CUgraphExec)exec); }

CUresult affine_allow_shared(uintptr_t function, int bytes) {
    return cuFuncSetAttribute((CUfunction)function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
}

CUresult affine_host_alloc(void **p, size_t bytes) {
    return cuMemHostAlloc(p, bytes, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP);
}

const char *affine_error(CUresult error) {
    const char *text = 0;
    if (cuGetErrorString(error, &text) != CUDA_SUCCESS || !text) return "unknown error";
    return text;
}
