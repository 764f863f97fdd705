#!/usr/bin/env python3
"""Checks what an assembler makes of the PTX: that no kernel spills more than a
budget, and what share of the instructions of the fast loops of the products are
multiplications.

    sass.py PTXAS ARCH...            budgets of spills for each architecture
    sass.py --shares PTXAS ARCH...   the shares and spills of the products that have a
                                     budget of shares, for what nvdisasm can read
    sass.py --log FILE               budgets of spills, from what `ptxas -v` printed
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NVDISASM = os.environ.get('NVDISASM', '/usr/local/cuda/bin/nvdisasm')

# Bytes of spill loads that a kernel may have, all of them outside of its fast
# loops: product_large is kept to 128 registers so that two of its blocks share a
# multiprocessor; small_step, which has every loss and optimizer in it, spills where
# ptxas 13 compiles it for sm_120. The default is for all others.
SPILLS = {'product_large_f32': 400, 'small_step_f32': 256, 'small_step_f64': 352}
SPILL = 64
# The least share of FFMA in the fast loops.
SHARES = {'product_large_f32': {'sm_80': 0.90, 'sm_90': 0.885}, 'products_medium_f32': {'sm_80': 0.80, 'sm_90': 0.78}}


def loops(cubin, entry):
    """Yields the instructions of each loop of an entry, by opcode."""
    text = subprocess.run([NVDISASM, '-c', cubin], check=True, capture_output=True, text=True).stdout
    code, labels = [], {}
    for line in text.split(f'.text.{entry}:')[1].split('.section')[0].splitlines():
        if label := re.match(r'\s*(\.L_\w+):', line):
            labels[label[1]] = len(code)
        elif instruction := re.match(r'\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9_.]+)(.*?);', line):
            code.append(instruction.groups())
    for at, (opcode, operands) in enumerate(code):
        target = re.search(r'`\((\.L_\w+)\)', operands)
        if opcode.startswith('BRA') and target and labels.get(target[1], at + 1) <= at:
            yield [o.split('.')[0] for o, _ in code[labels[target[1]]:at + 1]]


def spills(log, arch):
    """Says which kernels spill more than they may, by what ptxas printed."""
    kernels = re.findall(r"entry function '(\w+)'(.*?)Used \d+ registers", log, re.S)
    if not kernels:
        yield f'{arch}: the assembler tells nothing of any kernel'
    for entry, rest in kernels:
        spilled = sum(map(int, re.findall(r'(\d+) bytes spill loads', rest)))
        if spilled > SPILLS.get(entry, SPILL):
            yield f'{arch}: {entry} spills {spilled} bytes, want at most {SPILLS.get(entry, SPILL)}'


def check(ptxas, arch, ptx, shares):
    """Returns what is said of one PTX file, and what is wrong with it."""
    said, wrong = [], []
    with tempfile.NamedTemporaryFile(suffix='.cubin') as cubin:
        log = subprocess.run([ptxas, '-v', '-O3', '-arch=' + arch, '-o', cubin.name, ptx],
                             check=True, capture_output=True, text=True).stderr
        wrong += spills(log, arch)
        for entry, least in SHARES.items() if shares else ():
            if f'entry function \'{entry}\'' not in log or arch not in least:
                continue
            # The fast loops are those without a test of bounds.
            fast = [l for l in loops(cubin.name, entry)
                    if l.count('FFMA') >= 256 and l.count('BRA') == 1 and l.count('ISETP') <= 2]
            found = [l.count('FFMA') / len(l) for l in fast]
            said.append(f'{arch}: {entry}: FFMA shares ' + ', '.join(f'{s:.3f}' for s in found))
            if len(found) != 3 or min(found) < least[arch]:
                wrong.append(f'{arch}: {entry}: want 3 fast loops with {least[arch]} or more')
    return said, wrong


def main(args):
    if args[0] == '--log':
        with open(args[1]) as f:
            wrong = list(spills(f.read(), args[1]))
        print(*wrong, sep='\n', end='\n' if wrong else '')
        sys.exit(bool(wrong))
    shares = args[0] == '--shares'
    ptxas, *archs = args[1:] if shares else args
    files = sorted(glob.glob(HERE + '/*.ptx'))
    if shares:
        files = [f for f in files if any(f'.entry {entry}(' in open(f).read() for entry in SHARES)]
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for said, wrong in pool.map(lambda task: check(ptxas, *task, shares), [(a, f) for a in archs for f in files]):
            print(*said, *wrong, sep='\n', end='\n' if said or wrong else '')
            failed = failed or bool(wrong)
    sys.exit(failed)


main(sys.argv[1:])
