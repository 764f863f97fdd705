#!/usr/bin/env python3
"""Checks what an assembler makes of the PTX: that no kernel spills more than a
budget, and what share of the instructions of the fast loops of the products are
multiplications.

    sass.py PTXAS ARCH...            budgets of spills for each architecture
    sass.py --shares PTXAS ARCH...   the shares as well, for what nvdisasm can read
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NVDISASM = os.environ.get('NVDISASM', '/usr/local/cuda/bin/nvdisasm')

# Bytes of spill loads that a kernel may have, all of them outside of its fast
# loops: it is kept to 128 registers so that two of its blocks share a
# multiprocessor. The default is for all others.
SPILLS = {'product_large_f32': 400}
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


def main(args):
    shares = args[0] == '--shares'
    ptxas, *archs = args[1:] if shares else args
    failed = False
    for arch in archs:
        for ptx in sorted(glob.glob(HERE + '/*.ptx')):
            with tempfile.NamedTemporaryFile(suffix='.cubin') as cubin:
                log = subprocess.run([ptxas, '-v', '-O3', '-arch=' + arch, '-o', cubin.name, ptx],
                                     check=True, capture_output=True, text=True).stderr
                for entry, rest in re.findall(r"entry function '(\w+)'(.*?)Used \d+ registers", log, re.S):
                    spilled = sum(map(int, re.findall(r'(\d+) bytes spill loads', rest)))
                    if spilled > SPILLS.get(entry, SPILL):
                        print(f'{arch}: {entry} spills {spilled} bytes, want at most {SPILLS.get(entry, SPILL)}')
                        failed = True
                for entry, least in SHARES.items() if shares else ():
                    if f'entry function \'{entry}\'' not in log or arch not in least:
                        continue
                    # The fast loops are those without a test of bounds.
                    fast = [l for l in loops(cubin.name, entry)
                            if l.count('FFMA') >= 256 and l.count('BRA') == 1 and l.count('ISETP') <= 2]
                    found = [l.count('FFMA') / len(l) for l in fast]
                    print(f'{arch}: {entry}: FFMA shares', ', '.join(f'{s:.3f}' for s in found))
                    if len(found) != 3 or min(found) < least[arch]:
                        print(f'{arch}: {entry}: want 3 fast loops with {least[arch]} or more')
                        failed = True
    sys.exit(failed)


main(sys.argv[1:])
