#pragma once
#include "driver.h"

// What cublasLt is asked to do: D[m, n] = A·B with columns first, lda and so on
// the distances between columns.
typedef struct {
    int32_t float64, tf32, bf16, transposeA, transposeB, epilogue;
    int64_t m, n, k, lda, ldb, ldd;
} affine_lt_key;

typedef struct affine_lt_plan affine_lt_plan;

// affine_lt_load loads a cublasLt. It returns a null pointer, or why it could not.
const char *affine_lt_load(const char *name);
size_t affine_lt_version(void);
// The handle belongs to the current context. affine_lt_create returns cublasLt's status.
int affine_lt_create(void **handle);
void affine_lt_destroy(void *handle);

// affine_lt_make writes cublasLt's ways to do a product, those that it holds best
// first, with how much workspace each takes, and returns how many there are.
enum { AFFINE_LT_CANDIDATES = 4 };
int affine_lt_make(void *handle, const affine_lt_key *key, affine_lt_plan **plans, size_t *workspaces, int most);
// affine_lt_failed returns the status that a plan failed with, or 0.
int affine_lt_failed(const affine_lt_plan *plan);
void affine_lt_free(affine_lt_plan *plan);
