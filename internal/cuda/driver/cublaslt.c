//go:build gpu

// cublasLt, loaded at run time. The few declarations below are the same in the
// major versions 11, 12 and 13, so that no header of the library is needed and
// a program runs with whichever the machine has.
#include "cublaslt.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { R_32F = 0, R_64F = 1, R_16BF = 14 };                            // cudaDataType_t
enum { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_32F_FAST_TF32 = 77 };  // cublasComputeType_t
enum { DESC_TRANSA = 3, DESC_TRANSB = 4, DESC_EPILOGUE = 7, DESC_BIAS_POINTER = 8, DESC_BIAS_DATA_TYPE = 26 };
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

const char *affine_lt_load(const char *name) {
    static __thread char why[512];
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(why, sizeof why, "%s", dlerror());
        return why;
    }
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!(*wanted[i].to = dlsym(library, wanted[i].name))) {
            snprintf(why, sizeof why, "%s: has no %s", name, wanted[i].name);
            dlclose(library);
            return why;
        }
    return 0;
}

size_t affine_lt_version(void) { return version(); }

int affine_lt_create(void **handle) { return create(handle); }

void affine_lt_destroy(void *handle) { destroy(handle); }

struct affine_lt_plan {
    void *handle, *desc, *a, *b, *d;
    int float64, bias, failed;
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

int affine_lt_make(void *handle, const affine_lt_key *key, affine_lt_plan **plans, size_t *workspaces, int most) {
    const int type = key->float64 ? R_64F : R_32F;
    const int factors = key->bf16 ? R_16BF : type;
    const int compute = key->float64 ? COMPUTE_64F : key->tf32 ? COMPUTE_32F_FAST_TF32 : COMPUTE_32F;
    const int32_t transA = key->transposeA, transB = key->transposeB;
    const uint32_t epilogue = key->epilogue ? (uint32_t)key->epilogue : EPILOGUE_DEFAULT;
    const uint64_t room = MAX_WORKSPACE;
    const uint32_t alignment = 16;
    heuristic found[AFFINE_LT_CANDIDATES];
    memset(found, 0, sizeof found);
    int made = 0, n = 1;
    // Each plan has descriptors of its own, since the bias is set in them.
    for (int next = 0; next < n && made < most; next++) {
        affine_lt_plan *p = calloc(1, sizeof *p);
        if (!p) break;
        p->handle = handle;
        p->float64 = key->float64;
        p->bias = (key->epilogue & (EPILOGUE_BIAS | EPILOGUE_BGRADA)) != 0;
        int failed = descCreate(&p->desc, compute, type);
        if (!failed) failed = descSet(p->desc, DESC_TRANSA, &transA, sizeof transA);
        if (!failed) failed = descSet(p->desc, DESC_TRANSB, &transB, sizeof transB);
        if (!failed) failed = descSet(p->desc, DESC_EPILOGUE, &epilogue, sizeof epilogue);
        if (!failed && key->bf16 && p->bias) failed = descSet(p->desc, DESC_BIAS_DATA_TYPE, &type, sizeof type);
        if (!failed) failed = layoutCreate(&p->a, factors, transA ? key->k : key->m, transA ? key->m : key->k, key->lda);
        if (!failed) failed = layoutCreate(&p->b, factors, transB ? key->n : key->k, transB ? key->k : key->n, key->ldb);
        if (!failed) failed = layoutCreate(&p->d, type, key->m, key->n, key->ldd);
        if (!failed && next == 0) {
            void *pref = 0;
            n = 0;
            failed = prefCreate(&pref);
            if (!failed) failed = prefSet(pref, PREF_MAX_WORKSPACE_BYTES, &room, sizeof room);
            for (int i = 0; i < 4 && !failed; i++)
                failed = prefSet(pref, PREF_MIN_ALIGNMENT_A_BYTES + i, &alignment, sizeof alignment);
            if (!failed) failed = choose(handle, p->desc, p->a, p->b, p->d, p->d, pref, AFFINE_LT_CANDIDATES, found, &n);
            if (pref) prefDestroy(pref);
        }
        if (failed || n == 0 || found[next].state != 0) {
            affine_lt_free(p);
            if (failed) break;
            continue;
        }
        p->algo = found[next].algo;
        workspaces[made] = found[next].workspace;
        plans[made++] = p;
    }
    return made;
}

int affine_lt_failed(const affine_lt_plan *plan) { return plan->failed; }

// Arguments: A, B, D, bias, workspace, its size.
int affine_lt_submit(CUstream stream, const affine_work *w) {
    affine_lt_plan *p = (affine_lt_plan *)(uintptr_t)w->function;
    static const float one = 1, zero = 0;
    static const double one64 = 1, zero64 = 0;
    const void *alpha = p->float64 ? (const void *)&one64 : &one, *beta = p->float64 ? (const void *)&zero64 : &zero;
    void *a = (void *)(uintptr_t)w->args[0], *b = (void *)(uintptr_t)w->args[1], *d = (void *)(uintptr_t)w->args[2];
    void *bias = (void *)(uintptr_t)w->args[3];
    if (!p->failed && p->bias) p->failed = descSet(p->desc, DESC_BIAS_POINTER, &bias, sizeof bias);
    if (!p->failed)
        p->failed = matmul(p->handle, p->desc, alpha, a, p->a, b, p->b, beta, d, p->d, d, p->d, &p->algo,
                           (void *)(uintptr_t)w->args[4], w->args[5], stream);
    return p->failed;
}
