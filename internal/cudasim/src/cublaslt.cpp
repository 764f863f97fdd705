// A stand-in cublasLt: the calls that package cuda makes, computed with plain
// loops as work of the stand-in driver. Like the real one it has no epilogues
// in float64, and refuses operands that are not aligned.
#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

#define API extern "C" __attribute__((visibility("default")))

namespace {

enum { BF16 = 14 };
struct Desc { int compute, type; int32_t transA = 0, transB = 0; uint32_t epilogue = 1; void *bias = nullptr; };
struct Layout { int type; uint64_t rows, cols; int64_t stride; };
struct Preference { uint64_t workspace = 0; };
struct Handle { uint64_t magic; };
struct Heuristic { uint64_t algo[8]; size_t workspace; int state; float waves; int reserved[4]; };

constexpr uint64_t alive = 0x616666696e65;
constexpr size_t workspaceBytes = 4096;
enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

long objects;  // descriptors, layouts and preferences that are alive

struct Call {
    Desc desc;
    Layout a, b, d;
    const void *A, *B;
    void *D, *workspace;
};

float roundTF32(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    bits = (bits + 0xfff + ((bits >> 13) & 1)) & ~0x1fffu;
    memcpy(&v, &bits, 4);
    return v;
}

// element reads a factor, which may be of bfloat16 where the sums are of float32.
template <class T> T element(const T *data, const Layout &l, int64_t i) {
    if (l.type != BF16) return data[i];
    const uint32_t bits = uint32_t(reinterpret_cast<const uint16_t *>(data)[i]) << 16;
    float v;
    memcpy(&v, &bits, 4);
    return T(v);
}

template <class T> void multiply(const Call &c) {
    const T *A = static_cast<const T *>(c.A), *B = static_cast<const T *>(c.B), *bias = static_cast<const T *>(c.desc.bias);
    T *D = static_cast<T *>(c.D);
    const int64_t M = c.d.rows, N = c.d.cols, K = c.desc.transA ? c.a.rows : c.a.cols;
    const bool tf32 = c.desc.compute == 77;
    // Whoever shares the workspace with other work in flight will find it changed.
    memset(c.workspace, 0xff, workspaceBytes);
    if (c.desc.epilogue & 256)
        for (int64_t m = 0; m < M; m++) {
            T sum = 0;
            for (int64_t k = 0; k < K; k++) sum += element(A, c.a, c.desc.transA ? m * c.a.stride + k : k * c.a.stride + m);
            static_cast<T *>(c.desc.bias)[m] = sum;
        }
    for (int64_t n = 0; n < N; n++)
        for (int64_t m = 0; m < M; m++) {
            T sum = 0;
            for (int64_t k = 0; k < K; k++) {
                T a = element(A, c.a, c.desc.transA ? m * c.a.stride + k : k * c.a.stride + m);
                T b = element(B, c.b, c.desc.transB ? k * c.b.stride + n : n * c.b.stride + k);
                if (tf32) a = roundTF32(float(a)), b = roundTF32(float(b));
                sum += a * b;
            }
            if (c.desc.epilogue & 4) sum += bias[m];
            if (c.desc.epilogue & 2) sum = sum < 0 ? 0 : sum;
            D[n * c.d.stride + m] = sum;
        }
}

}  // namespace

namespace {
template <class F> F find(const char *name) {
    return reinterpret_cast<F>(dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD), name));
}
// fails reports whether a test wants this call to fail.
bool fails(const char *call) {
    static auto chosen = find<int (*)(const char *)>("cudasim_fails");
    return chosen(call) != 0;
}
long knob(const char *name) {
    static auto get = find<long (*)(const char *)>("cudasim_get");
    return get(name);
}
}  // namespace

namespace {
// The driver was loaded without making its symbols known to others.
void submit(void *stream, void (*run)(const void *), const Call &c) {
    static auto to = find<void (*)(void *, void (*)(const void *), const void *, size_t)>("cudasim_submit");
    to(stream, run, &c, sizeof c);
}
}  // namespace

API size_t cublasLtGetVersion() { return 120400; }
API long cudasim_lt_objects() { return objects; }

API int cublasLtCreate(Handle **h) {
    if (fails(__func__)) return NOT_INITIALIZED;
    objects++;
    *h = new Handle{alive};
    return SUCCESS;
}
API int cublasLtDestroy(Handle *h) {
    objects--;
    h->magic = 0;
    delete h;
    return SUCCESS;
}
API int cublasLtMatmulDescCreate(Desc **d, int compute, int type) {
    objects++;
    *d = new Desc{compute, type};
    return SUCCESS;
}
API int cublasLtMatmulDescDestroy(Desc *d) {
    objects--;
    delete d;
    return SUCCESS;
}
API int cublasLtMatmulDescSetAttribute(Desc *d, int attribute, const void *value, size_t size) {
    switch (attribute) {
    case 3: if (size != 4) return INVALID_VALUE; memcpy(&d->transA, value, 4); return SUCCESS;
    case 4: if (size != 4) return INVALID_VALUE; memcpy(&d->transB, value, 4); return SUCCESS;
    case 7: if (size != 4) return INVALID_VALUE; memcpy(&d->epilogue, value, 4); return SUCCESS;
    case 8: if (size != 8) return INVALID_VALUE; memcpy(&d->bias, value, 8); return SUCCESS;
    case 26: return size == 4 && *static_cast<const int *>(value) == d->type ? SUCCESS : INVALID_VALUE;
    }
    return INVALID_VALUE;
}
API int cublasLtMatrixLayoutCreate(Layout **l, int type, uint64_t rows, uint64_t cols, int64_t stride) {
    if (stride < int64_t(rows)) return INVALID_VALUE;
    objects++;
    *l = new Layout{type, rows, cols, stride};
    return SUCCESS;
}
API int cublasLtMatrixLayoutDestroy(Layout *l) {
    objects--;
    delete l;
    return SUCCESS;
}
API int cublasLtMatmulPreferenceCreate(Preference **p) {
    objects++;
    *p = new Preference;
    return SUCCESS;
}
API int cublasLtMatmulPreferenceDestroy(Preference *p) {
    objects--;
    delete p;
    return SUCCESS;
}
API int cublasLtMatmulPreferenceSetAttribute(Preference *p, int attribute, const void *value, size_t size) {
    if (attribute == 1 && size == 8) memcpy(&p->workspace, value, 8);
    return SUCCESS;
}

API int cublasLtMatmulAlgoGetHeuristic(Handle *, Desc *d, Layout *a, Layout *b, Layout *, Layout *out, Preference *p,
                                       int wanted, Heuristic *result, int *n) {
    *n = 0;
    if (wanted < 1 || p->workspace < workspaceBytes) return NOT_SUPPORTED;
    const uint64_t M = out->rows, N = out->cols, K = d->transA ? a->rows : a->cols;
    if ((d->transA ? a->cols : a->rows) != M || (d->transB ? b->cols : b->rows) != K || (d->transB ? b->rows : b->cols) != N)
        return INVALID_VALUE;
    if (a->type != b->type || (a->type != out->type && (a->type != BF16 || d->compute != 68))) return NOT_SUPPORTED;
    if (d->type == 1 && d->epilogue != 1) return NOT_SUPPORTED;
    if (d->epilogue & knob("lt_refuses") || fails(__func__)) return NOT_SUPPORTED;
    memset(result, 0, sizeof *result);
    result->algo[0] = alive;
    result->workspace = workspaceBytes;
    *n = 1;
    return SUCCESS;
}

API int cublasLtMatmul(Handle *h, Desc *d, const void *alpha, const void *A, Layout *a, const void *B, Layout *b,
                       const void *beta, const void *C, Layout *c, void *D, Layout *out, const uint64_t *algo,
                       void *workspace, size_t bytes, void *stream) {
    const bool one = d->type ? *static_cast<const double *>(alpha) == 1 : *static_cast<const float *>(alpha) == 1;
    const bool zero = d->type ? *static_cast<const double *>(beta) == 0 : *static_cast<const float *>(beta) == 0;
    if (h->magic != alive || !one || !zero || C != D || c != out || algo[0] != alive || bytes < workspaceBytes || !workspace)
        return INVALID_VALUE;
    for (const void *p : std::initializer_list<const void *>{A, B, D, workspace})
        if (reinterpret_cast<uintptr_t>(p) % 16) return INVALID_VALUE;
    if (fails(__func__)) return EXECUTION_FAILED;
    const Call call = {*d, *a, *b, *out, A, B, D, workspace};
    submit(stream, [](const void *data) {
        const Call &c = *static_cast<const Call *>(data);
        c.d.type ? multiply<double>(c) : multiply<float>(c);
    }, call);
    return SUCCESS;
}
