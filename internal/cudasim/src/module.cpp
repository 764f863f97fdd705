// Modules and launches. A module's PTX is not run: its entry points are looked
// up among the kernels that were compiled for the host from the same source.
#include <elf.h>

#include <map>
#include <sstream>
#include <string>

#include "grid.h"
#include "state.h"

using namespace sim;

namespace {

struct Function;
struct Module : Handle {
    std::map<std::string, std::vector<int>> entries;  // the sizes of the parameters, if the image is PTX
    std::map<std::string, Function *> functions;
    bool cubin = false;
    explicit Module(Context *c) : Handle("module", c) {}
};
struct Function : Handle {
    const Kernel *kernel;
    bool used = false;
    int dynamic = 48 << 10;  // bytes of shared memory that a launch may ask for
    Function(Context *c, const Kernel *kernel) : Handle("function", c), kernel(kernel) {}
};

// readEntries finds ".visible .entry NAME(" and the sizes of its parameters,
// ".param .u64 name" or ".param .align 8 .b8 name[bytes]", up to ")".
bool readEntries(const std::string &ptx, Module &m) {
    static const std::map<std::string, int> sizes = {{".u64", 8}, {".f64", 8}, {".u32", 4}, {".f32", 4}, {".b8", 1}};
    const std::string mark = ".visible .entry ";
    for (size_t at = ptx.find(mark); at != std::string::npos; at = ptx.find(mark, at + 1)) {
        const size_t open = ptx.find('(', at), close = ptx.find(')', at);
        if (open == std::string::npos || close == std::string::npos) return false;
        std::istringstream words(ptx.substr(open + 1, close - open - 1));
        std::vector<int> params;
        for (std::string word; words >> word;) {
            if (auto size = sizes.find(word); size != sizes.end()) params.push_back(size->second);
            if (const size_t bracket = word.find('['); bracket != std::string::npos)
                params.back() *= atoi(word.c_str() + bracket + 1);
        }
        m.entries[ptx.substr(at + mark.size(), open - at - mark.size())] = params;
    }
    return !m.entries.empty();
}

// readCubin finds the sections .text.NAME of machine code for this card.
bool readCubin(const char *image, Module &m) {
    Elf64_Ehdr head;
    memcpy(&head, image, sizeof head);
    constexpr int cuda = 190, capability = 90;
    if (head.e_machine != cuda || (head.e_flags & 0xff) != capability) return false;
    const Elf64_Shdr *sections = reinterpret_cast<const Elf64_Shdr *>(image + head.e_shoff);
    const char *names = image + sections[head.e_shstrndx].sh_offset;
    for (int i = 0; i < head.e_shnum; i++) {
        const std::string name = names + sections[i].sh_name;
        if (name.rfind(".text.", 0) == 0) m.entries[name.substr(6)];
    }
    return !m.entries.empty();
}

}  // namespace

API CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned options, CUjit_option *, void **) {
    ENTER();
    if (breaksCapture(__func__)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (options > 2) return CUDA_ERROR_INVALID_VALUE;
    Module *m = new Module(currentContext());
    const bool cubin = m->cubin = memcmp(image, ELFMAG, SELFMAG) == 0;
    if (cubin ? !readCubin(static_cast<const char *>(image), *m) : !readEntries(static_cast<const char *>(image), *m)) {
        delete m;
        return cubin ? CUDA_ERROR_NO_BINARY_FOR_GPU : CUDA_ERROR_INVALID_PTX;
    }
    (cubin ? counters.cubins : counters.jitted)++;
    *module = reinterpret_cast<CUmodule>(static_cast<Handle *>(m));
    return CUDA_SUCCESS;
}

API CUresult cuModuleUnload(CUmodule module) {
    ENTER();
    Module *m = check<Module>(module, "module", __func__);
    if (!m) return CUDA_ERROR_INVALID_HANDLE;
    drainAll(currentContext());
    for (auto &f : m->functions) delete f.second;
    delete m;
    return CUDA_SUCCESS;
}

API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    ENTER();
    Module *m = check<Module>(module, "module", __func__);
    if (!m) return CUDA_ERROR_INVALID_HANDLE;
    auto entry = m->entries.find(name);
    if (entry == m->entries.end()) return CUDA_ERROR_NOT_FOUND;
    for (const Kernel *k = kernels; k; k = k->next) {
        if (name != std::string(k->name)) continue;
        if (!m->cubin && k->params != entry->second) {
            violation("%s has other parameters in the PTX than in the source: run go generate", name);
            return CUDA_ERROR_INVALID_PTX;
        }
        Function *&f = m->functions[name];
        if (!f) f = new Function(currentContext(), k);
        *function = reinterpret_cast<CUfunction>(static_cast<Handle *>(f));
        return CUDA_SUCCESS;
    }
    violation("%s is in the PTX but not in the source: run go generate", name);
    return CUDA_ERROR_NOT_FOUND;
}

// Of a card of compute capability 9.0, a block can have 227 KB.
API CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
    ENTER();
    Function *f = check<Function>(function, "function", __func__);
    if (!f) return CUDA_ERROR_INVALID_HANDLE;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > int(mostDynamic))
        return CUDA_ERROR_INVALID_VALUE;
    f->dynamic = value;
    return CUDA_SUCCESS;
}

API CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                            unsigned bz, unsigned sharedBytes, CUstream stream, void **params, void **extra) {
    ENTER();
    Function *f = check<Function>(function, "function", __func__);
    if (!f) return CUDA_ERROR_INVALID_HANDLE;
    constexpr unsigned bound = 256;  // of threads in a block, in the launch bounds of every kernel
    if (gx == 0 || gy == 0 || gz == 0 || bx == 0 || by != 1 || bz != 1 || bx > bound || bx % 32 != 0 || gy > 65535 ||
        gz > 65535 || sharedBytes > unsigned(f->dynamic) || extra) {
        violation("cuLaunchKernel: %s with grid %u×%u×%u, block %u×%u×%u, %u bytes of shared memory", f->kernel->name, gx, gy, gz, bx, by,
                  bz, sharedBytes);
        return CUDA_ERROR_INVALID_VALUE;
    }
    std::vector<uint64_t> args;
    for (size_t i = 0; i < f->kernel->params.size(); i++) {
        const int size = f->kernel->params[i];
        args.resize(args.size() + (size + 7) / 8);
        memcpy(&args[args.size() - (size + 7) / 8], params[i], size);
    }
    const Kernel *kernel = f->kernel;
    counters.launches++;
    // The first launch may load code, which a capture does not allow.
    if (!f->used && breaksFirstUse(kernel->name)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    f->used = true;
    Work work;
    work.kernel = true;
    work.touches.assign(args.begin(), args.end());
    // The optimisers' kernels find their operands through their first argument.
    for (const char *name : {"sgd", "adam", "rmsprop", "adagrad", "lion"}) {
        if (std::string(kernel->name).rfind(name, 0) != 0) continue;
        const uintptr_t *words = reinterpret_cast<uintptr_t *>(args[0]);
        if (memoryAt(words, 8, __func__) == Memory::pinned)
            work.touches.assign(words, words + 4 + 6 * gy);
        else
            work.everything = true;
    }
    // A program of small_step names its operands in memory.
    if (std::string(kernel->name).rfind("small_step", 0) == 0) work.everything = true;
    work.run = [=] { runKernel(*kernel, args.data(), {gx, gy, gz}, {bx, by, bz}, sharedBytes, knobs.shuffle); };
    return submit(stream, std::move(work), __func__);
}
