#pragma once
#include "driver.h"

// What cublasLt is asked to do: D[m, n] = A·B with columns first, lda and so on
// the distances between columns.
typedef struct {
    int32_t float64, tf32, transposeA, transposeB, epilogue, reserved;
    int64_t m, n, k, lda, ldb, ldd;
} affine_lt_key;

typedef struct affine_lt_plan affine_lt_plan;

// affine_lt_open loads the newest cublasLt that the machine has. It returns its
// name, or a null pointer.
const char *affine_lt_open(void);
size_t affine_lt_version(void);
// The handle belongs to the current context.
void *affine_lt_create(void);
void affine_lt_destroy(void *handle);
// affine_lt_make returns cublasLt's way to do a product and how much workspace
// it takes, or a null pointer if it has none.
affine_lt_plan *affine_lt_make(void *handle, const affine_lt_key *key, size_t *workspace);
void affine_lt_free(affine_lt_plan *plan);
