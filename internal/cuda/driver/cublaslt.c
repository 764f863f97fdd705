//go:build gpu

// cublasLt, loaded at run time. The few declarations below are the same in the
// major versions 11, 12 and 13, so that no header of the library is needed and
// a program runs with whichever the machine has.
#include "cublaslt.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { R_32F = 0, R_64F = 1 };                                          // cudaDataType_t
enum { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_32F_FAST_TF32 = 77 };  // cublasComputeType_t
enum { DESC_TRANSA = 3, DESC_TRANSB = 4, DESC_EPILOGUE = 7, DESC_BIAS_POINTER = 8 };
enum { PREF_MAX_WORKSPACE_BYTES = 1, PREF_MIN_ALIGNMENT_A_BYTES = 5 };    // and B, C, D after it
enum { EPILOGUE_DEFAULT = 1, EPILOGUE_RELU = 2, EPILOGUE_BIAS = 4, EPILOGUE_BGRADA = 256 };

typedef struct { uint64_t data[8]; } algorithm;
typedef struct {
    algorithm algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
} heuristic;

static int (*create)(void **);
static int (*destroy)(void *);
static size_t (*version)(void);
static int (*descCreate)(void **, int, int);
static int (*descDestroy)(void *);
static int (*descSet)(void *, int, const void *, size_t);
static int (*layoutCreate)(void **, int, uint64_t, uint64_t, int64_t);
static int (*layoutDestroy)(void *);
static int (*prefCreate)(void **);
static int (*prefDestroy)(void *);
static int (*prefSet)(void *, int, const void *, size_t);
static int (*choose)(void *, void *, void *, void *, void *, void *, void *, int, heuristic *, int *);
static int (*matmul)(void *, void *, const void *, const void *, void *, const void *, void *, const void *,
                     const void *, void *, void *, void *, const algorithm *, void *, size_t, CUstream);

static const char *found;

static void load(void) {
    static const char *names[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};
    static const struct { void **to; const char *name; } wanted[] = {
        {(void **)&create, "cublasLtCreate"},
        {(void **)&destroy, "cublasLtDestroy"},
        {(void **)&version, "cublasLtGetVersion"},
        {(void **)&descCreate, "cublasLtMatmulDescCreate"},
        {(void **)&descDestroy, "cublasLtMatmulDescDestroy"},
        {(void **)&descSet, "cublasLtMatmulDescSetAttribute"},
        {(void **)&layoutCreate, "cublasLtMatrixLayoutCreate"},
        {(void **)&layoutDestroy, "cublasLtMatrixLayoutDestroy"},
        {(void **)&prefCreate, "cublasLtMatmulPreferenceCreate"},
        {(void **)&prefDestroy, "cublasLtMatmulPreferenceDestroy"},
        {(void **)&prefSet, "cublasLtMatmulPreferenceSetAttribute"},
        {(void **)&choose, "cublasLtMatmulAlgoGetHeuristic"},
        {(void **)&matmul, "cublasLtMatmul"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (!library) continue;
        size_t n = 0;
        for (; n < sizeof wanted / sizeof *wanted; n++)
            if (!(*wanted[n].to = dlsym(library, wanted[n].name))) break;
        if (n == sizeof wanted / sizeof *wanted) {
            found = names[i];
            return;
        }
        dlclose(library);
    }
}

const char *affine_lt_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return found;
}

size_t affine_lt_version(void) { return version(); }

void *affine_lt_create(void) {
    void *handle = 0;
    return create(&handle) == 0 ? handle : 0;
}

void affine_lt_destroy(void *handle) { destroy(handle); }

struct affine_lt_plan {
    void *handle, *desc, *a, *b, *d;
    int float64, bias;
    algorithm algo;
};

void affine_lt_free(affine_lt_plan *p) {
    if (!p) return;
    if (p->desc) descDestroy(p->desc);
    if (p->a) layoutDestroy(p->a);
    if (p->b) layoutDestroy(p->b);
    if (p->d) layoutDestroy(p->d);
    free(p);
}

// The most workspace that a product may take: what NVIDIA recommends for Hopper.
enum { MAX_WORKSPACE = 32 << 20 };

affine_lt_plan *affine_lt_make(void *handle, const affine_lt_key *key, size_t *workspace) {
    affine_lt_plan *p = calloc(1, sizeof *p);
    if (!p) return 0;
    p->handle = handle;
    p->float64 = key->float64;
    p->bias = (key->epilogue & (EPILOGUE_BIAS | EPILOGUE_BGRADA)) != 0;
    const int type = key->float64 ? R_64F : R_32F;
    const int compute = key->float64 ? COMPUTE_64F : key->tf32 ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F;
    const int32_t transA = key->transposeA, transB = key->transposeB;
    const uint32_t epilogue = key->epilogue ? (uint32_t)key->epilogue : EPILOGUE_DEFAULT;
    void *pref = 0;
    heuristic best;
    memset(&best, 0, sizeof best);
    int n = 0;
    int failed = descCreate(&p->desc, compute, type);
    if (!failed) failed = descSet(p->desc, DESC_TRANSA, &transA, sizeof transA);
    if (!failed) failed = descSet(p->desc, DESC_TRANSB, &transB, sizeof transB);
    if (!failed) failed = descSet(p->desc, DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (!failed) failed = layoutCreate(&p->a, type, transA ? key->k : key->m, transA ? key->m : key->k, key->lda);
    if (!failed) failed = layoutCreate(&p->b, type, transB ? key->n : key->k, transB ? key->k : key->n, key->ldb);
    if (!failed) failed = layoutCreate(&p->d, type, key->m, key->n, key->ldd);
    if (!failed) failed = prefCreate(&pref);
    const uint64_t most = MAX_WORKSPACE;
    if (!failed) failed = prefSet(pref, PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    const uint32_t alignment = 16;
    for (int i = 0; i < 4 && !failed; i++)
        failed = prefSet(pref, PREF_MIN_ALIGNMENT_A_BYTES + i, &alignment, sizeof alignment);
    if (!failed) failed = choose(handle, p->desc, p->a, p->b, p->d, p->d, pref, 1, &best, &n);
    if (pref) prefDestroy(pref);
    if (failed || n == 0 || best.state != 0) {
        affine_lt_free(p);
        return 0;
    }
    p->algo = best.algo;
    *workspace = best.workspace;
    return p;
}

// Arguments: A, B, D, bias, workspace, its size.
CUresult affine_lt_submit(CUstream stream, const affine_work *w) {
    affine_lt_plan *p = (affine_lt_plan *)(uintptr_t)w->function;
    static const float one = 1, zero = 0;
    static const double one64 = 1, zero64 = 0;
    const void *alpha = p->float64 ? (const void *)&one64 : &one, *beta = p->float64 ? (const void *)&zero64 : &zero;
    void *a = (void *)(uintptr_t)w->args[0], *b = (void *)(uintptr_t)w->args[1], *d = (void *)(uintptr_t)w->args[2];
    void *bias = (void *)(uintptr_t)w->args[3];
    if (p->bias && descSet(p->desc, DESC_BIAS_POINTER, &bias, sizeof bias)) return CUDA_ERROR_INVALID_VALUE;
    int failed = matmul(p->handle, p->desc, alpha, a, p->a, b, p->b, beta, d, p->d, d, p->d, &p->algo,
                        (void *)(uintptr_t)w->args[4], w->args[5], stream);
    return failed ? CUDA_ERROR_LAUNCH_FAILED : CUDA_SUCCESS;
}
