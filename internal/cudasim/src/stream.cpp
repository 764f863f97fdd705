// Streams, events and graphs.
#include "state.h"

namespace sim {

namespace {

std::set<Stream *> streams;

// Events count a time in which every kernel and every product takes as long as
// its knob says, so that what is measured is the same in every run.
double clock_ms;

void runNext(Stream *s) {
    Work w = std::move(s->queue.front());
    s->queue.pop_front();
    if (w.kernel) {
        counters.kernels++;
        clock_ms += double(knobs.kernel_us) / 1000;
        if (knobs.kernel_fails > 0 && --knobs.kernel_fails == 0) {
            // The queues must outlive whoever is walking them.
            lost = CUDA_ERROR_ILLEGAL_ADDRESS;
            for (Stream *other : streams) other->queue.clear();
            return;
        }
    }
    w.run();
}

// settle notes what work is still pending.
void settle() {
    idle();
    for (Stream *s : streams)
        for (const Work &w : s->queue) busy(w);
    protectForHost();
}

}  // namespace

void drain(Stream *s) {
    openForDevice();
    while (!s->queue.empty()) runNext(s);
    settle();
}

void dropAll() {
    for (Stream *s : streams) s->queue.clear();
    settle();
}

void drainAll(Context *c) {
    for (Stream *s : streams)
        if (s->context == c) drain(s);
}

void onNullStream(Context *c) {
    for (Stream *s : streams)
        if (s->context == c && s->blocking) drain(s);
}

bool inUse(uintptr_t from, uintptr_t to) {
    for (Stream *s : streams)
        for (const Work &w : s->queue)
            for (uintptr_t p : w.touches)
                if (p >= from && p < to) return true;
    return false;
}

bool breaksFirstUse(const char *what) { return breaksCapture((std::string("first use of ") + what).c_str()); }

// Captures are of the mode that forbids calls to the thread that captures alone.
bool breaksCapture(const char *call) {
    for (Stream *s : streams)
        if (s->capture && s->capturer == std::this_thread::get_id()) {
            violation("%s: not allowed while a stream is captured", call);
            s->broken = true;
            return true;
        }
    return false;
}

CUresult submit(CUstream stream, Work work, const char *call) {
    if (!stream) {
        onNullStream(currentContext());
        openForDevice();
        if (work.kernel) counters.kernels++;
        work.run();
        protectForHost();
        return CUDA_SUCCESS;
    }
    Stream *s = check<Stream>(stream, "stream", call);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) {
        if (s->capturer != std::this_thread::get_id()) {
            violation("%s: another thread captures the stream", call);
            return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
        }
        s->capture->work.push_back(std::move(work));
        return CUDA_SUCCESS;
    }
    busy(work);
    s->queue.push_back(std::move(work));
    if (knobs.lazy)
        protectForHost();
    else
        drain(s);
    return CUDA_SUCCESS;
}

}  // namespace sim

using namespace sim;

API void cudasim_submit(CUstream stream, void (*run)(const void *), const void *data, size_t size) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    std::string copy(static_cast<const char *>(data), size);
    Work work;
    work.touches.resize(size / sizeof(uintptr_t));
    memcpy(work.touches.data(), data, work.touches.size() * sizeof(uintptr_t));
    work.run = [run, copy] {
        counters.products++;
        clock_ms += double(knobs.product_us) / 1000;
        run(copy.data());
    };
    submit(stream, std::move(work), "cublasLt");
}

API CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    ENTER();
    Stream *s = new Stream(currentContext(), !(flags & CU_STREAM_NON_BLOCKING));
    streams.insert(s);
    *stream = reinterpret_cast<CUstream>(static_cast<Handle *>(s));
    return CUDA_SUCCESS;
}

API CUresult cuStreamDestroy(CUstream stream) {
    ENTER();
    Stream *s = check<Stream>(stream, "stream", __func__);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    drain(s);
    streams.erase(s);
    delete s;
    return CUDA_SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream stream) {
    ENTER();
    counters.synchronizations++;
    if (!stream) {
        onNullStream(currentContext());
        return lost;
    }
    Stream *s = check<Stream>(stream, "stream", __func__);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) {
        breaksCapture(__func__);
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    drain(s);
    return lost;  // by work that has now run
}

API CUresult cuStreamQuery(CUstream stream) {
    ENTER();
    Stream *s = check<Stream>(stream, "stream", __func__);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->queue.empty()) return CUDA_SUCCESS;
    openForDevice();
    runNext(s);
    settle();
    return CUDA_ERROR_NOT_READY;
}

API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    ENTER();
    Event *e = check<Event>(event, "event", __func__);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    const long wanted = e->recorded;
    Work work;
    work.run = [e, wanted] {
        while (e->reached < wanted && !e->stream->queue.empty()) runNext(e->stream);
    };
    return submit(stream, std::move(work), __func__);
}

API CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode mode) {
    ENTER();
    if (mode != CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) {
        violation("cuStreamBeginCapture: this mode forbids calls to other threads");
        return CUDA_ERROR_INVALID_VALUE;
    }
    Stream *s = check<Stream>(stream, "stream", __func__);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
    s->capture = new Graph("graph", currentContext());
    s->broken = false;
    s->capturer = std::this_thread::get_id();
    return CUDA_SUCCESS;
}

// A capture is ended even by a call that fails.
API CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    std::lock_guard<std::recursive_mutex> guard(lock);
    const CUresult failed = entry(__func__, true);
    Stream *s = check<Stream>(stream, "stream", __func__);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (failed) {
        delete s->capture;
        s->capture = nullptr;
        return failed;
    }
    if (!s->capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (s->capturer != std::this_thread::get_id()) {
        violation("cuStreamEndCapture: another thread began the capture");
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    }
    Graph *g = s->capture;
    s->capture = nullptr;
    if (s->broken) {
        delete g;
        *graph = nullptr;
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *graph = reinterpret_cast<CUgraph>(static_cast<Handle *>(g));
    return CUDA_SUCCESS;
}

API CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
    ENTER();
    Graph *g = check<Graph>(graph, "graph", __func__);
    if (!g) return CUDA_ERROR_INVALID_HANDLE;
    Graph *e = new Graph("executable graph", currentContext());
    e->work = g->work;
    counters.graphs++;
    *exec = reinterpret_cast<CUgraphExec>(static_cast<Handle *>(e));
    return CUDA_SUCCESS;
}

API CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    ENTER();
    Graph *e = check<Graph>(exec, "executable graph", __func__);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    counters.graph_launches++;
    for (const Work &w : e->work)
        if (CUresult failed = submit(stream, w, __func__)) return failed;
    return CUDA_SUCCESS;
}

API CUresult cuGraphDestroy(CUgraph graph) {
    ENTER();
    Graph *g = check<Graph>(graph, "graph", __func__);
    if (!g) return CUDA_ERROR_INVALID_HANDLE;
    delete g;
    return CUDA_SUCCESS;
}

API CUresult cuGraphExecDestroy(CUgraphExec exec) {
    ENTER();
    Graph *g = check<Graph>(exec, "executable graph", __func__);
    if (!g) return CUDA_ERROR_INVALID_HANDLE;
    delete g;
    return CUDA_SUCCESS;
}

API CUresult cuEventCreate(CUevent *event, unsigned) {
    ENTER();
    *event = reinterpret_cast<CUevent>(static_cast<Handle *>(new Event(currentContext())));
    return CUDA_SUCCESS;
}

API CUresult cuEventDestroy(CUevent event) {
    ENTER();
    Event *e = check<Event>(event, "event", __func__);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    drainAll(currentContext());
    delete e;
    return CUDA_SUCCESS;
}

API CUresult cuEventRecord(CUevent event, CUstream stream) {
    ENTER();
    Event *e = check<Event>(event, "event", __func__);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    const long number = ++e->recorded;
    e->stream = reinterpret_cast<Stream *>(stream);
    Work work;
    work.run = [e, number] {
        e->reached = number;
        e->at = clock_ms;
    };
    return submit(stream, std::move(work), __func__);
}

API CUresult cuEventSynchronize(CUevent event) {
    ENTER();
    Event *e = check<Event>(event, "event", __func__);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    counters.synchronizations++;
    openForDevice();
    while (e->reached < e->recorded && !e->stream->queue.empty()) runNext(e->stream);
    settle();
    return CUDA_SUCCESS;
}

API CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) {
    ENTER();
    Event *a = check<Event>(from, "event", __func__), *b = check<Event>(to, "event", __func__);
    if (!a || !b) return CUDA_ERROR_INVALID_HANDLE;
    if (a->reached < a->recorded || b->reached < b->recorded) return CUDA_ERROR_NOT_READY;
    *ms = float(b->at - a->at);
    return CUDA_SUCCESS;
}
