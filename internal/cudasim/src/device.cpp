// Devices, contexts, errors and the controls of the stand-in.
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "state.h"

namespace sim {

Counters counters;
std::recursive_mutex lock;
CUresult lost;
std::set<Handle *> handles;

namespace {

bool initialised;
std::map<std::string, long> failing;  // calls by name, and which of them from now on fails
std::map<int, Context *> primary;
thread_local Context *current;

const std::map<std::string, long Knobs::*> &knobNames() {
    static const std::map<std::string, long Knobs::*> names = {
    {"lazy", &Knobs::lazy}, {"protect", &Knobs::protect}, {"shuffle", &Knobs::shuffle}, {"devices", &Knobs::devices},
    {"fail_alloc", &Knobs::fail_alloc}, {"lost_after", &Knobs::lost_after}, {"kernel_fails", &Knobs::kernel_fails},
    {"processors", &Knobs::processors}, {"concurrent", &Knobs::concurrent}, {"pages", &Knobs::pages},
    {"lt_refuses", &Knobs::lt_refuses}, {"kernel_us", &Knobs::kernel_us}, {"product_us", &Knobs::product_us}};
    return names;
}

const std::map<std::string, long Counters::*> &counterNames() {
    static const std::map<std::string, long Counters::*> names = {
    {"host_to_device_bytes", &Counters::host_to_device_bytes}, {"device_to_host_bytes", &Counters::device_to_host_bytes},
    {"device_to_device_bytes", &Counters::device_to_device_bytes}, {"copies", &Counters::copies},
    {"memsets", &Counters::memsets}, {"launches", &Counters::launches}, {"graph_launches", &Counters::graph_launches},
    {"kernels", &Counters::kernels}, {"graphs", &Counters::graphs}, {"products", &Counters::products},
    {"cubins", &Counters::cubins}, {"jitted", &Counters::jitted},
    {"synchronizations", &Counters::synchronizations}, {"allocations", &Counters::allocations},
    {"frees", &Counters::frees}, {"calls", &Counters::calls}, {"bytes", &Counters::bytes},
    {"violations", &Counters::violations}, {"pages_to_device", &Counters::pages_to_device},
    {"pages_to_host", &Counters::pages_to_host}};
    return names;
}

bool setKnob(Knobs &k, const std::string &name, long value) {
    auto found = knobNames().find(name);
    if (found == knobNames().end()) return false;
    k.*found->second = value;
    return true;
}

Knobs fromEnvironment() {
    Knobs k;
    const char *text = getenv("CUDASIM");
    for (std::string rest = text ? text : ""; !rest.empty();) {
        const size_t comma = rest.find(',');
        const std::string word = rest.substr(0, comma);
        rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
        const size_t equals = word.find('=');
        const long value = equals == std::string::npos ? 1 : atol(word.c_str() + equals + 1);
        const size_t colon = word.find(':');
        if (word.rfind("fail=", 0) == 0 && colon != std::string::npos) {
            failing[word.substr(5, colon - 5)] = atol(word.c_str() + colon + 1);
            continue;
        }
        if (!setKnob(k, word.substr(0, equals), value)) {
            fprintf(stderr, "cudasim: CUDASIM has the unknown word %s\n", word.c_str());
            abort();
        }
    }
    return k;
}

}  // namespace

Knobs knobs = fromEnvironment();

void violation(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    counters.violations++;
    fprintf(stderr, "cudasim: %s\n", text);
    if (const char *path = getenv("CUDASIM_REPORT"))
        if (FILE *f = fopen(path, "a")) {
            fprintf(f, "%s\n", text);
            fclose(f);
        }
}

Handle::Handle(const char *kind, Context *context) : kind(kind), context(context) { handles.insert(this); }
Handle::~Handle() { handles.erase(this); }
Context::Context(int device) : Handle("context", this), device(device) {}

Context *currentContext() { return current; }

Handle *checkHandle(void *p, const char *kind, const char *call) {
    Handle *h = static_cast<Handle *>(p);
    if (!handles.count(h)) {
        violation("%s: the %s is none, or was destroyed", call, kind);
        return nullptr;
    }
    if (std::string(h->kind) != kind) {
        violation("%s: got a %s, want a %s", call, h->kind, kind);
        return nullptr;
    }
    if (h->context != current) {
        violation("%s: the %s belongs to another context than the current one", call, kind);
        return nullptr;
    }
    return h;
}

void lose(CUresult error) {
    lost = error;
    dropAll();
}

// fails reports whether this call was chosen to fail. cuda.h's macros may have
// put a version behind its name.
bool fails(const char *call) {
    if (failing.empty()) return false;
    std::string name = call;
    if (const size_t version = name.rfind("_v"); version != std::string::npos) name.resize(version);
    auto chosen = failing.find(name);
    if (chosen == failing.end() || --chosen->second > 0) return false;
    failing.erase(chosen);
    return true;
}

CUresult entry(const char *call, bool needsContext) {
    counters.calls++;
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (knobs.lost_after > 0 && --knobs.lost_after == 0) lose(CUDA_ERROR_LAUNCH_FAILED);
    if (lost) return lost;
    if (fails(call)) return CUDA_ERROR_UNKNOWN;
    if (needsContext && !current) {
        violation("%s: the thread has no current context", call);
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    return CUDA_SUCCESS;
}

}  // namespace sim

using namespace sim;

// The controls, for tests.

API int cudasim_set(const char *knob, long value) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (std::string(knob) == "lost") {
        lost = value ? CUDA_ERROR_LAUNCH_FAILED : CUDA_SUCCESS;
        return 0;
    }
    if (!setKnob(knobs, knob, value)) return -1;
    if (knobs.pages) countPages();
    return 0;
}

// cudasim_fail lets the n-th call of that name from now on fail; with 0, none.
API void cudasim_fail(const char *call, long n) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (n > 0)
        failing[call] = n;
    else
        failing.erase(call);
}

// cudasim_fails tells the stand-in cublasLt whether a call of its own fails.
API int cudasim_fails(const char *call) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    return fails(call);
}

API long cudasim_get(const char *name) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    if (std::string(name) == "handles") {
        long alive = 0;
        for (Handle *h : handles) alive += h->kind != std::string("context");
        return alive;
    }
    if (std::string(name) == "failing") return long(failing.size());  // calls that were chosen and have not come yet
    if (std::string(name) == "contexts") return long(handles.size()) - cudasim_get("handles");
    auto counter = counterNames().find(name);
    if (counter != counterNames().end()) return counters.*counter->second;
    auto knob = knobNames().find(name);
    return knob == knobNames().end() ? -1 : knobs.*knob->second;
}

API CUresult cuInit(unsigned) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    counters.calls++;
    if (knobs.devices == 0) return CUDA_ERROR_NO_DEVICE;
    initialised = true;
    if (knobs.pages) countPages();
    return CUDA_SUCCESS;
}

API CUresult cuDriverGetVersion(int *version) {
    *version = 12040;
    return CUDA_SUCCESS;
}

API CUresult cuGetErrorName(CUresult error, const char **name) {
    *name = error == CUDA_ERROR_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == CUDA_ERROR_LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == CUDA_ERROR_NO_DEVICE     ? "CUDA_ERROR_NO_DEVICE"
          : error == CUDA_ERROR_UNKNOWN       ? "CUDA_ERROR_UNKNOWN"
                                              : "CUDA_ERROR";
    return CUDA_SUCCESS;
}

API CUresult cuGetErrorString(CUresult error, const char **text) {
    *text = error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory"
          : error == CUDA_ERROR_LAUNCH_FAILED ? "unspecified launch failure"
          : error == CUDA_ERROR_NO_DEVICE     ? "no CUDA-capable device is detected"
          : error == CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered"
          : error == CUDA_ERROR_UNKNOWN       ? "unknown error"
                                              : "error of the stand-in driver";
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetCount(int *n) {
    ENTER_WITHOUT_CONTEXT();
    *n = int(knobs.devices);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    ENTER_WITHOUT_CONTEXT();
    if (ordinal < 0 || ordinal >= knobs.devices) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    ENTER_WITHOUT_CONTEXT();
    snprintf(name, size, "stand-in %d", device);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceTotalMem(size_t *bytes, CUdevice) {
    ENTER_WITHOUT_CONTEXT();
    *bytes = size_t(4) << 30;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
    ENTER_WITHOUT_CONTEXT();
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = int(knobs.processors); break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = int(mostDynamic); break;
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS: *value = int(knobs.concurrent); break;
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY: *value = 1; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    ENTER_WITHOUT_CONTEXT();
    if (device < 0 || device >= knobs.devices) return CUDA_ERROR_INVALID_DEVICE;
    Context *&c = primary[device];
    if (!c) c = new Context(device);
    c->retained++;
    *context = reinterpret_cast<CUcontext>(c);
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    ENTER_WITHOUT_CONTEXT();
    Context *&c = primary[device];
    if (!c || c->retained == 0) {
        violation("cuDevicePrimaryCtxRelease: the context was not retained");
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    if (--c->retained > 0) return CUDA_SUCCESS;
    drainAll(c);
    // Whatever lives on in the context is a leak.
    std::map<std::string, int> leaks;
    for (auto it = handles.begin(); it != handles.end();) {
        Handle *h = *it++;
        if (h == c || h->context != c) continue;
        leaks[h->kind]++;
    }
    for (auto &leak : leaks) violation("context released with %d %s(s) alive", leak.second, leak.first.c_str());
    if (current == c) current = nullptr;
    delete c;
    c = nullptr;
    return CUDA_SUCCESS;
}

API CUresult cuCtxSetCurrent(CUcontext context) {
    ENTER_WITHOUT_CONTEXT();
    Context *c = reinterpret_cast<Context *>(context);
    if (c && !handles.count(c)) {
        violation("cuCtxSetCurrent: the context is none, or was released");
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    current = c;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetCurrent(CUcontext *context) {
    ENTER_WITHOUT_CONTEXT();
    *context = reinterpret_cast<CUcontext>(current);
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetDevice(CUdevice *device) {
    ENTER();
    *device = current->device;
    return CUDA_SUCCESS;
}

API CUresult cuCtxSynchronize() {
    ENTER();
    if (breaksCapture("cuCtxSynchronize")) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    counters.synchronizations++;
    drainAll(current);
    return CUDA_SUCCESS;
}
