// Memory. Each allocation has pages of its own, ends at an unmapped page, and
// starts out full of NaNs. Where the knob protect is set, the host can read
// device memory never, and managed memory only while no work is pending. Where
// the knob pages is set, every page of managed memory is on one side, host or
// device, and moves when the other touches it, which is counted.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "state.h"

namespace sim {

namespace {

constexpr size_t alignment = 256;
constexpr size_t total = size_t(4) << 30;

struct Block : Handle {
    Memory type;
    char *pages;  // whole pages, without the unmapped one behind them
    char *start;
    size_t pageBytes, bytes;
    bool open = true;
    enum Side : char { nowhere, host, device };
    std::vector<Side> sides;  // of each page, with the knob pages
    Block(const char *kind, Context *c, Memory type) : Handle(kind, c), type(type) {}
};

std::map<uintptr_t, Block *> blocks;  // by first address
std::set<Block *> hidden;             // those that the host may not touch: device memory, busy managed memory

Block *find(const void *p) {
    auto next = blocks.upper_bound(reinterpret_cast<uintptr_t>(p));
    if (next == blocks.begin()) return nullptr;
    --next;
    return reinterpret_cast<uintptr_t>(p) < next->first + next->second->bytes ? next->second : nullptr;
}

void set(Block *b, bool open) {
    if (b->open == open) return;
    mprotect(b->pages, b->pageBytes, open ? PROT_READ | PROT_WRITE : PROT_NONE);
    b->open = open;
}

// working is set while the device works.
bool working;

const size_t page = size_t(sysconf(_SC_PAGESIZE));

// divide opens the pages of a block to whoever works now, as far as they lie there.
void divide(Block *b) {
    const Block::Side now = working ? Block::device : Block::host;
    for (size_t i = 0; i < b->sides.size();) {
        size_t j = i;
        while (j < b->sides.size() && (b->sides[j] == now) == (b->sides[i] == now)) j++;
        mprotect(b->pages + i * page, (j - i) * page, b->sides[i] == now ? PROT_READ | PROT_WRITE : PROT_NONE);
        i = j;
    }
}

void work(bool begins) {
    if (!knobs.pages || working == begins) return;
    working = begins;
    for (auto &entry : blocks)
        if (!entry.second->sides.empty()) divide(entry.second);
}

struct sigaction before;

// moves answers the fault of whoever touched a page that lies on the other side.
void moves(int number, siginfo_t *info, void *context) {
    {
        std::lock_guard<std::recursive_mutex> guard(lock);
        const char *p = static_cast<const char *>(info->si_addr);
        for (auto &entry : blocks) {
            Block *b = entry.second;
            if (b->sides.empty() || p < b->pages || p >= b->pages + b->pageBytes) continue;
            const size_t i = size_t(p - b->pages) / page;
            if (b->sides[i] != Block::nowhere) (working ? counters.pages_to_device : counters.pages_to_host)++;
            b->sides[i] = working ? Block::device : Block::host;
            mprotect(b->pages + i * page, page, PROT_READ | PROT_WRITE);
            return;
        }
    }
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(number, info, context);
    else
        signal(number, before.sa_handler);
}

CUresult allocate(void **p, size_t bytes, Memory type, const char *kind, const char *call) {
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (breaksCapture(call)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (knobs.fail_alloc > 0 && --knobs.fail_alloc == 0) return CUDA_ERROR_OUT_OF_MEMORY;
    if (type != Memory::pinned && size_t(counters.bytes) + bytes > total) return CUDA_ERROR_OUT_OF_MEMORY;
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    const size_t pages = (rounded + page - 1) / page * page;
    void *mapped = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    mprotect(static_cast<char *>(mapped) + pages, page, PROT_NONE);
    Block *b = new Block(kind, currentContext(), type);
    b->pages = static_cast<char *>(mapped);
    b->pageBytes = pages;
    b->bytes = bytes;
    char *start = b->start = b->pages + pages - rounded;
    // Poison a megabyte at each end: enough to be met, and quick for large blocks.
    const size_t edge = size_t(1) << 20;
    memset(start, 0xff, bytes < edge ? bytes : edge);
    if (bytes > edge) memset(start + bytes - edge, 0xff, edge);
    blocks[reinterpret_cast<uintptr_t>(start)] = b;
    counters.allocations++;
    generation++;
    counters.bytes += long(bytes);
    if (type == Memory::device) hidden.insert(b);
    if (type == Memory::managed && knobs.pages) {
        b->sides.assign(pages / page, Block::nowhere);
        divide(b);
    }
    protectForHost();
    *p = start;
    return CUDA_SUCCESS;
}

CUresult release(void *p, const char *call, bool host) {
    Block *b = find(p);
    if (!b || !blocks.count(reinterpret_cast<uintptr_t>(p)) || (b->type == Memory::pinned) != host) {
        violation("%s: %p is not the start of an allocation of its kind", call, p);
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (b->context != currentContext()) {
        violation("%s: the memory belongs to another context than the current one", call);
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (breaksCapture(call)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    // The driver may wait for it, and need not.
    if (inUse(reinterpret_cast<uintptr_t>(b->start), reinterpret_cast<uintptr_t>(b->start) + b->bytes))
        violation("%s: work that is pending uses the memory", call);
    drainAll(b->context);
    blocks.erase(reinterpret_cast<uintptr_t>(p));
    hidden.erase(b);
    munmap(b->pages, b->pageBytes + page);
    counters.frees++;
    generation++;
    counters.bytes -= long(b->bytes);
    delete b;
    return CUDA_SUCCESS;
}

CUresult copy(void *to, const void *from, size_t bytes, CUstream stream, bool async, const char *call) {
    const Memory target = memoryAt(to, bytes, call), source = memoryAt(from, bytes, call);
    const bool out = target == Memory::pageable || target == Memory::pinned;
    const bool in = source == Memory::pageable || source == Memory::pinned;
    if (!async && breaksCapture(call)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    Work work;
    work.touches = {reinterpret_cast<uintptr_t>(to), reinterpret_cast<uintptr_t>(from)};
    work.run = [=] {
        counters.copies++;
        (in && !out ? counters.host_to_device_bytes : out && !in ? counters.device_to_host_bytes
                                                                 : counters.device_to_device_bytes) += long(bytes);
        memmove(to, from, bytes);
    };
    CUresult result = submit(async ? stream : nullptr, std::move(work), call);
    // A copy to pageable memory has happened when the call returns.
    if (!result && async && target == Memory::pageable && stream)
        if (Stream *s = check<Stream>(stream, "stream", call); s && !s->capture) drain(s);
    return result;
}

CUresult fill(CUdeviceptr p, size_t bytes, unsigned value, int width, CUstream stream, const char *call) {
    if (memoryAt(reinterpret_cast<void *>(p), bytes, call) == Memory::pageable) {
        violation("%s: the memory is not the device's", call);
        return CUDA_ERROR_INVALID_VALUE;
    }
    Work work;
    work.touches = {uintptr_t(p)};
    work.run = [=] {
        counters.memsets++;
        if (width == 1)
            memset(reinterpret_cast<void *>(p), int(value), bytes);
        else
            for (size_t i = 0; i < bytes; i += 4) memcpy(reinterpret_cast<char *>(p) + i, &value, 4);
    };
    return submit(stream, std::move(work), call);
}

}  // namespace

Memory memoryAt(const void *p, size_t bytes, const char *call) {
    Block *b = find(p);
    if (!b) return Memory::pageable;
    if (static_cast<const char *>(p) + bytes > b->start + b->bytes)
        violation("%s: %zu bytes from %p reach beyond the end of their allocation", call, bytes, p);
    return b->type;
}

long generation;

bool allocationAt(uintptr_t p, uintptr_t &from, uintptr_t &to) {
    Block *b = find(reinterpret_cast<void *>(p));
    if (!b) return false;
    from = reinterpret_cast<uintptr_t>(b->start);
    to = from + b->bytes;
    return true;
}

void busy(const Work &work) {
    auto note = [](Block *b) {
        if (b && b->type == Memory::managed) hidden.insert(b);
    };
    if (work.everything)
        for (auto &entry : blocks) note(entry.second);
    for (uintptr_t p : work.touches) note(find(reinterpret_cast<void *>(p)));
}

void idle() {
    for (auto it = hidden.begin(); it != hidden.end();) {
        Block *b = *it;
        if (b->type == Memory::managed) {
            set(b, true);
            it = hidden.erase(it);
        } else {
            ++it;
        }
    }
}

void protectForHost() {
    work(false);
    if (!knobs.protect) return;
    for (Block *b : hidden) set(b, false);
}

void countPages() {
    static bool installed = false;
    if (installed) return;
    installed = true;
    struct sigaction action = {};
    action.sa_sigaction = moves;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigaction(SIGSEGV, &action, &before);
}

void openForDevice() {
    work(true);
    for (Block *b : hidden) set(b, true);
}

}  // namespace sim

using namespace sim;

API CUresult cuMemAlloc(CUdeviceptr *p, size_t bytes) {
    ENTER();
    return allocate(reinterpret_cast<void **>(p), bytes, Memory::device, "device allocation", __func__);
}

API CUresult cuMemAllocManaged(CUdeviceptr *p, size_t bytes, unsigned flags) {
    ENTER();
    if (flags != CU_MEM_ATTACH_GLOBAL) return CUDA_ERROR_INVALID_VALUE;
    return allocate(reinterpret_cast<void **>(p), bytes, Memory::managed, "managed allocation", __func__);
}

API CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags) {
    ENTER();
    // Kernels reach it in every context.
    if (flags != (CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP)) {
        violation("cuMemHostAlloc: flags %u do not let every context's kernels reach the memory", flags);
        return CUDA_ERROR_INVALID_VALUE;
    }
    return allocate(p, bytes, Memory::pinned, "pinned allocation", __func__);
}

API CUresult cuMemFree(CUdeviceptr p) {
    ENTER();
    return release(reinterpret_cast<void *>(p), __func__, false);
}

API CUresult cuMemFreeHost(void *p) {
    ENTER();
    return release(p, __func__, true);
}

API CUresult cuMemGetInfo(size_t *free, size_t *all) {
    ENTER();
    *all = total;
    *free = total - size_t(counters.bytes);
    return CUDA_SUCCESS;
}

API CUresult cuMemAdvise(CUdeviceptr p, size_t bytes, CUmem_advise, CUdevice) {
    ENTER();
    if (memoryAt(reinterpret_cast<void *>(p), bytes, __func__) == Memory::managed) return CUDA_SUCCESS;
    violation("cuMemAdvise: the memory is not managed");
    return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuMemPrefetchAsync(CUdeviceptr p, size_t bytes, CUdevice, CUstream) {
    ENTER();
    if (memoryAt(reinterpret_cast<void *>(p), bytes, __func__) == Memory::managed) return CUDA_SUCCESS;
    violation("cuMemPrefetchAsync: the memory is not managed");
    return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes) {
    ENTER();
    return copy(reinterpret_cast<void *>(to), from, bytes, nullptr, false, __func__);
}

API CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes) {
    ENTER();
    return copy(to, reinterpret_cast<void *>(from), bytes, nullptr, false, __func__);
}

API CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    ENTER();
    return copy(reinterpret_cast<void *>(to), from, bytes, stream, true, __func__);
}

API CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    ENTER();
    return copy(to, reinterpret_cast<void *>(from), bytes, stream, true, __func__);
}

API CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    ENTER();
    return copy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes, stream, true, __func__);
}

API CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    ENTER();
    return copy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes, stream, true, __func__);
}

// Rows are copied one by one, each as its own copy.
API CUresult cuMemcpy2DAsync(const CUDA_MEMCPY2D *c, CUstream stream) {
    ENTER();
    for (size_t row = 0; row < c->Height; row++) {
        char *to = c->dstMemoryType == CU_MEMORYTYPE_HOST ? static_cast<char *>(c->dstHost)
                                                          : reinterpret_cast<char *>(c->dstDevice);
        const char *from = c->srcMemoryType == CU_MEMORYTYPE_HOST ? static_cast<const char *>(c->srcHost)
                                                                  : reinterpret_cast<const char *>(c->srcDevice);
        if (CUresult failed = copy(to + row * c->dstPitch, from + row * c->srcPitch, c->WidthInBytes, stream, true, __func__))
            return failed;
    }
    return CUDA_SUCCESS;
}

API CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char value, size_t n, CUstream stream) {
    ENTER();
    return fill(p, n, value, 1, stream, __func__);
}

API CUresult cuMemsetD32Async(CUdeviceptr p, unsigned value, size_t n, CUstream stream) {
    ENTER();
    return fill(p, 4 * n, value, 4, stream, __func__);
}
