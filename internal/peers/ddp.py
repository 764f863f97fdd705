"""Step times of an MLP 784-512-256-10 with Adam in two processes, by PyTorch's
DistributedDataParallel with gloo and by this module under mpirun, and of one
process with two threads of each.

    go build -o /tmp/train ./cmd/train && python internal/peers/ddp.py /tmp/train 128 4080

Both sides gather each batch from the whole dataset; times are medians.
"""
import json, os, statistics, struct, subprocess, sys, tempfile, time

ROWS = 17000
TRAINED = 16320  # what fit's split leaves


def pytorch(batch, steps):
    import torch

    world = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(1)
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    net = torch.nn.Sequential(linear(784, 512), relu(), linear(512, 256), relu(), linear(256, 10))
    if world > 1:
        torch.distributed.init_process_group("gloo")
        net = torch.nn.parallel.DistributedDataParallel(net)
    optimizer, loss = torch.optim.Adam(net.parameters(), foreach=True), torch.nn.CrossEntropyLoss()
    features, targets = torch.rand(TRAINED, 784), torch.randint(0, 10, (TRAINED,))
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        rows = torch.randint(0, TRAINED, (batch // world,))
        optimizer.zero_grad(set_to_none=False)
        loss(net(features[rows]), targets[rows]).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    if int(os.environ.get("RANK", "0")) == 0:
        print(1e6 * statistics.median(times[steps // 5 :]))


def printed(command, **env):
    return subprocess.run(command, env={**os.environ, **env}, check=True, capture_output=True, text=True).stdout


def compare(train, batches):
    import random

    me, ranks = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", __file__], ["mpirun", "--allow-run-as-root", "--bind-to", "none", "-n", "2"]
    with tempfile.TemporaryDirectory() as data:
        for name, header, size, top in (
            ("train-images-idx3-ubyte", (0x803, ROWS, 28, 28), ROWS * 784, 256),
            ("train-labels-idx1-ubyte", (0x801, ROWS), ROWS, 10),
        ):
            with open(os.path.join(data, name), "wb") as f:
                f.write(struct.pack(f">{len(header)}I", *header) + bytes(x % top for x in random.Random(1).randbytes(size)))
        print("batch  affine 1×2  affine 2×1  PyTorch 1×2  PyTorch 2×1   (processes×threads, µs a step)")
        for batch in batches:
            epochs = max(1, batch // 1360)  # a dozen steps or more
            fit = [train, "fit", "--dataset", "idx:" + data, "--validation", "0.02", "--test", "0.02", "--hidden", "512,256",
                   "--optimizer", "adam", "--no-plots", "--json", "--batch", str(batch), "--epochs", str(epochs), "--force", "--out", os.path.join(data, "run")]
            steps = str(epochs * TRAINED // batch)
            times = [
                json.loads(printed(fit))["step_us_median"],
                json.loads(printed(ranks + fit + ["--microbatches", "2"]))["step_us_median"],
                float(printed([sys.executable, __file__, "pytorch", str(batch), steps], OMP_NUM_THREADS="2")),
                float(printed(me + ["pytorch", str(batch), steps], OMP_NUM_THREADS="1")),
            ]
            print(f"{batch:5}  {times[0]:10.0f}  {times[1]:10.0f}  {times[2]:11.0f}  {times[3]:11.0f}")


if sys.argv[1] == "pytorch":
    pytorch(int(sys.argv[2]), int(sys.argv[3]))
else:
    compare(sys.argv[1], [int(b) for b in sys.argv[2:] or ("128", "4080")])
