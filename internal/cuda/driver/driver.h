#pragma once
#include <cuda.h>
#include <stdint.h>

// affine_open loads libcuda.so.1 and calls the real cuInit, once. It returns
// what cuInit returned, or -1 where there is no driver.
int affine_open(void);

// A piece of work for a stream. Its layout is that of Work in driver.go.
enum { AFFINE_LAUNCH, AFFINE_COPY, AFFINE_COPY_ROWS, AFFINE_CLEAR, AFFINE_PRODUCT };
enum { AFFINE_ARGS = 56 };
typedef struct {
    uint64_t kind, function;      // function: CUfunction, or the product's plan
    uint64_t gridX, gridY, block, shared; // of a launch; bytes of dynamic shared memory
    uint64_t args[AFFINE_ARGS];   // of a launch; to, from, bytes, … of the others
} affine_work;

// A product is followed by two lists of work: args[6] pieces that belong to it,
// for which it must have succeeded, and args[7] pieces that do the same without
// cublasLt. One of the two is left out.
enum { AFFINE_PRODUCT_REST = 6, AFFINE_PRODUCT_INSTEAD = 7 };

// affine_submit makes the context current and hands n pieces of work to the
// stream; with wait set it then waits for the stream.
CUresult affine_submit(uintptr_t context, uintptr_t stream, const affine_work *work, int n, int wait);

// affine_capture records n pieces of work as a graph that affine_replay runs.
CUresult affine_capture(uintptr_t context, uintptr_t stream, const affine_work *work, int n, uintptr_t *exec);
CUresult affine_replay(uintptr_t context, uintptr_t stream, uintptr_t exec);

CUresult affine_destroy(uintptr_t exec);

// affine_time measures n pieces of work, in milliseconds: the least of several runs.
CUresult affine_time(uintptr_t context, uintptr_t stream, const affine_work *work, int n, float *ms);

// affine_load loads a module for the current context. What the driver has to say
// about an image that it refuses goes to log.
CUresult affine_load(const void *image, CUmodule *module, char *log, unsigned size);

// affine_allow_shared lets launches of a function ask for that many bytes of
// dynamic shared memory.
CUresult affine_allow_shared(uintptr_t function, int bytes);

CUresult affine_host_alloc(void **p, size_t bytes);
const char *affine_error(CUresult error);

// affine_lt_submit, in cublaslt.c, runs a product that was planned there. It
// returns cublasLt's status, 0 for success; after a failure the plan is not tried
// again.
int affine_lt_submit(CUstream stream, const affine_work *work);
