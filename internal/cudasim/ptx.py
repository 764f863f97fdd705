#!/usr/bin/env python3
"""Translates the PTX of package cuda to C++ for the stand-in driver.

    ptx.py FILE.ptx ... >kernels.cpp                 every module
    ptx.py --mutate ENTRY FILE.ptx ... >kernels.cpp  with one instruction of ENTRY changed
    ptx.py --entries FILE.ptx ...                    the names of the entry points

It knows the instructions that these kernels are made of, and ends with an error
at any other. src/ptx.h has what the C++ is made of.
"""
import os
import re
import sys

TYPES = {'f32': 'float', 'f64': 'double', 'u8': 'uint8_t', 'u16': 'uint16_t', 'u32': 'uint32_t', 'u64': 'uint64_t',
         's16': 'int16_t', 's32': 'int32_t', 's64': 'int64_t', 'b8': 'uint8_t', 'b16': 'uint16_t', 'b32': 'uint32_t',
         'b64': 'uint64_t', 'pred': 'bool'}
BYTES = {t: int(t[1:]) // 8 for t in TYPES if t != 'pred'}
SPECIAL = {'%tid.x': 'threadIdx.x', '%ctaid.x': 'blockIdx.x', '%ctaid.y': 'blockIdx.y', '%nctaid.x': 'gridDim.x',
           '%nctaid.y': 'gridDim.y'}
COMPARE = {'lt': '<', 'le': '<=', 'gt': '>', 'ge': '>=', 'eq': '==', 'ne': '!='}
INFIX = {'add': '+', 'sub': '-', 'mul': '*', 'and': '&', 'or': '|', 'xor': '^', 'div': '/', 'rem': '%'}
DYNAMIC = re.compile(r'\.extern\s+\.shared\s+\.align\s+\d+\s+\.b8\s+(\w+)\[\]\s*;')  # of a size that the launch tells
SHARED = re.compile(r'\.shared\s+\.align\s+(\d+)\s+\.(\w+)\s+(\w+)(?:\[(\d+)\])?\s*;')
FUNCTION = re.compile(r'(\.visible\s+\.entry|\.func)\s*(?:\(\s*\.param\s+\.(\w+)\s+\w+\s*\))?\s*(\w+)\s*\(([^)]*)\)'
                      r'\s*((?:\.(?:maxntid|minnctapersm)[^\n{]*\s*)*)\{', re.S)


def split(text):
    """Splits operands at commas outside of brackets."""
    parts, depth, part = [], 0, ''
    for c in text:
        depth += (c in '{[(') - (c in '}])')
        if c == ',' and depth == 0:
            parts.append(part.strip())
            part = ''
        else:
            part += c
    return parts + [part.strip()] if part.strip() else parts


def statements(body):
    """Yields statements, labels with their colon, and braces of inner scopes."""
    text = ''
    for c in body:
        if c == ';':
            yield ' '.join(text.split())
            text = ''
        elif c in '{}' and not text.strip():
            yield c
            text = ''
        elif c == ':' and re.fullmatch(r'\s*\$\w+', text):
            yield text.strip() + ':'
            text = ''
        else:
            text += c
    if text.strip():
        raise SystemExit('ptx.py: what is ' + text)


class Function:
    def __init__(self, place, head, body, shared, top, dynamic):
        self.entry = 'entry' in head[1]
        self.result, self.name = head[2], head[3]
        self.params = re.findall(r'\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+(\w+)(?:\[(\d+)\])?', head[4])
        self.shared, self.top, self.lines = dict(shared), top, []
        self.ranges, self.place = 0, place
        for align, kind, name, n in SHARED.findall(body):
            self.top = -(-self.top // int(align)) * int(align)
            self.shared[name] = self.top
            self.top += int(n or 1) * BYTES[kind]
        self.top = -(-self.top // 16) * 16
        self.shared.update((name, self.top) for name in dynamic)
        self.body = SHARED.sub('', body)
        self.barriers = 'bar.sync' in body or 'shfl' in body

    def operand(self, x, kind='b64'):
        x = x.strip()
        if x in SPECIAL:
            return SPECIAL[x]
        if x.startswith('%'):
            return x[1:]
        if x.startswith('0f'):
            return f'ptx::f32(0x{x[2:]}u)'
        if x.startswith('0d'):
            return f'ptx::f64(0x{x[2:]}ull)'
        if re.fullmatch(r'-?\d+', x):
            return f'({TYPES[kind]})({int(x) & (1 << 64) - 1}ull)'
        if x in self.shared:
            return f'{self.shared[x]}u'
        if self.by_value(x):
            return f'(uint64_t){x}.data'
        raise SystemExit(f'ptx.py: {self.place}: what is the operand {x}')

    def by_value(self, name):
        return any(n == name and k == 'b8' for k, n, _ in self.params)

    def address(self, x):
        base, offset = re.fullmatch(r'\[\s*([%\w$]+)\s*(?:\+\s*(-?\d+))?\s*\]', x).groups()
        return base, int(offset or 0)

    def memory(self, p, x, kind, count):
        base, offset = self.address(x)
        base = self.operand(base)
        if 'shared' in p:
            return f'ptx::local<{TYPES[kind]}, {"true" if p[0] == "st" else "false"}>({base}, {offset}, {count})'
        self.ranges += 1
        if 'global' in p:
            return f'ptx::global<{TYPES[kind]}>(known[{self.ranges - 1}], {base}, {offset}, {count})'
        return (f'ptx::generic<{TYPES[kind]}, {"true" if p[0] == "st" else "false"}>'
                f'(known[{self.ranges - 1}], {base}, {offset}, {count})')

    def expression(self, p, kind, a):
        """What an arithmetic instruction computes from its operands."""
        t, name, floating = TYPES[kind], p[0], kind[0] == 'f'
        cast = [f'({t})({x})' for x in a]
        if name == 'setp':
            relation = p[1]
            if relation == 'num':
                return f'!ptx::unordered({a[0]}, {a[1]})'
            unordered = floating and relation[:-1] in COMPARE
            test = f'{cast[0]} {COMPARE[relation[:-1] if unordered else relation]} {cast[1]}'
            if unordered:
                return f'({test} || ptx::unordered({a[0]}, {a[1]}))'
            return f'({test} && !ptx::unordered({a[0]}, {a[1]}))' if floating and relation == 'ne' else f'({test})'
        if name == 'selp':
            return f'{a[2]} ? {cast[0]} : {cast[1]}'
        if name == 'cvt':
            to, source, how = p[-2], p[-1], p[1:-2]
            if how == ['sat']:
                return f'ptx::saturate({a[0]})'
            if to == source == 'f32' and how in (['rzi'], ['rni']):
                return f'{"truncf" if how == ["rzi"] else "rintf"}({a[0]})'
            if how in ([], ['rn']):
                return f'({TYPES[to]})({TYPES[source]})({a[0]})'
        if kind == 'pred':
            return {'or': '{0} || {1}', 'and': '{0} && {1}', 'xor': '{0} != {1}', 'not': '!{0}'}[name].format(*a)
        if floating:
            single = kind == 'f32'
            if name == 'fma':
                if 'rm' in p:
                    return f'ptx::fmaDown({", ".join(a)})'
                return f'{"__builtin_fmaf" if single else "__builtin_fma"}({", ".join(a)})'
            if name == 'add' and 'rz' in p:
                return f'ptx::addToZero({a[0]}, {a[1]})'
            if name in ('add', 'sub', 'mul', 'div'):
                return f'{a[0]} {INFIX[name]} {a[1]}'
            if name in ('ex2', 'rcp'):
                return f'ptx::{name}({a[0]})'
            calls = {'sqrt': 'std::sqrt', 'abs': 'std::fabs', 'max': 'std::fmax', 'neg': '-'}
            return f'{calls[name]}({", ".join(a)})'
        if name == 'mul' and p[1] == 'hi' and t in ('int32_t', 'uint32_t'):
            wide = 'int64_t' if kind[0] == 's' else 'uint64_t'
            return f'({wide}){cast[0]} * ({wide}){cast[1]} >> 32'
        if name == 'mul' and p[1] == 'wide':
            wide = 'int64_t' if kind[0] == 's' else 'uint64_t'
            return f'({wide}){cast[0]} * ({wide}){cast[1]}'
        if name in ('add', 'sub', 'mul', 'mad'):
            u = 'u' + t.lstrip('u')
            if name == 'mad':
                return f'({u})({a[0]}) * ({u})({a[1]}) + ({u})({a[2]})'
            return f'({u})({a[0]}) {INFIX[name]} ({u})({a[1]})'
        if name in INFIX:
            return f'{cast[0]} {INFIX[name]} {cast[1]}'
        if name in ('shl', 'shr'):
            return f'ptx::shift{"Left" if name == "shl" else "Right"}<{t}>({cast[0]}, (uint32_t)({a[1]}))'
        if name in ('min', 'max'):
            return f'{cast[0]} {"<" if name == "min" else ">"} {cast[1]} ? {cast[0]} : {cast[1]}'
        return {'neg': '0 - ({0})', 'not': '~({0})'}[name].format(*a)

    def statement(self, s):
        if s in '{}':
            return s
        if s.endswith(':'):
            return s[1:-1] + ': ;'
        declared = re.fullmatch(r'\.(reg|param) \.(\w+) %?(\w+)', s)
        if declared:
            return f'{TYPES[declared[2]]} {declared[3]};'
        guard, condition = '', re.match(r'@(!?)%(\w+) (.*)', s)
        if condition:
            guard, s = f'if ({condition[1]}{condition[2]}) ', condition[3]
        return guard + '{ ' + self.instruction(s) + ' }' if guard else self.instruction(s)

    def instruction(self, s):
        name, _, rest = s.partition(' ')
        p, a = name.split('.'), split(rest)
        kind = p[-1]
        if p[0] == 'bra':
            return f'goto {a[0][1:]};'
        if p[0] == 'ret':
            return 'return func_retval0;' if self.result else 'return;'
        if name == 'bar.sync':
            return 'sim::waitBlock();'
        if name == '.pragma' or p[0] == 'membar':
            return ';'
        if p[0] == 'call':
            return f'{a[0][1:-1].strip()} = {a[1]}({a[2][1:-1]});'
        if p[0] in ('ld', 'st') and 'param' in p:
            base, offset = self.address(a[1] if p[0] == 'ld' else a[0])
            if p[0] == 'st':
                return f'{base} = ptx::bits<decltype({base})>(({TYPES[kind]})({self.operand(a[1], kind)}));'
            to = self.operand(a[0])
            if self.by_value(base) or base.startswith('%'):
                return f'memcpy(&{to}, (const char *){self.operand(base)} + {offset}, sizeof {to});'
            return f'{to} = ptx::bits<decltype({to})>({base});'
        if p[0] in ('ld', 'st'):
            count = next((int(x[1]) for x in p if x in ('v2', 'v4')), 1)
            where, values = (a[1], a[0]) if p[0] == 'ld' else (a[0], a[1])
            values = split(values.strip()[1:-1]) if count > 1 else [values]
            lines = f'auto *at = {self.memory(p, where, kind, count)}; '
            for i, v in enumerate(values):
                v = self.operand(v, kind)
                lines += f'{v} = at[{i}]; ' if p[0] == 'ld' else f'at[{i}] = ({TYPES[kind]})({v}); '
            return '{ ' + lines + '}'
        if p[0] == 'shfl':
            to, ok = a[0].split('|')
            lane = f'(int)((threadIdx.x % 32) ^ {self.operand(a[2], "b32")})'
            return f'{to[1:]} = sim::shuffle((uint32_t){self.operand(a[1])}, {lane}); {ok[1:]} = true;'
        if name == 'atom.global.inc.u32':
            self.ranges += 1
            base, offset = self.address(a[1])
            where = f'ptx::global<uint32_t>(known[{self.ranges - 1}], {self.operand(base)}, {offset})'
            return f'{self.operand(a[0])} = atomicInc({where}, {self.operand(a[2], "b32")});'
        if p[0] == 'mov':
            if a[1].startswith('{'):
                low, high = split(a[1][1:-1])
                to = self.operand(a[0])
                return f'{to} = ptx::pack<decltype({to})>({self.operand(low, "b32")}, {self.operand(high, "b32")});'
            if a[0].startswith('{'):
                low, high = split(a[0][1:-1])
                return f'ptx::unpack({self.operand(a[1], kind)}, {self.operand(low)}, {self.operand(high)});'
            to = self.operand(a[0])
            if kind == 'pred':
                return f'{to} = {"true" if a[1] == "-1" else "false" if a[1] == "0" else self.operand(a[1])};'
            return f'{to} = ptx::bits<decltype({to})>({self.operand(a[1], kind)});'
        if p[0] == 'cvta' and p[1] == 'shared':
            return f'{self.operand(a[0])} = (uint64_t)ptx::shared + {self.operand(a[1])};'
        if p[0] == 'cvta':
            return f'{self.operand(a[0])} = {self.operand(a[1])};'
        shift = p[0] in ('shl', 'shr')
        operands = [self.operand(x, 'b32' if shift and i == 1 else kind) for i, x in enumerate(a[1:])]
        try:
            return f'{self.operand(a[0])} = {self.expression(p, kind, operands)};'
        except (KeyError, IndexError):
            raise SystemExit(f'ptx.py: {self.place}: what is the instruction {s}')

    def translate(self):
        registers = {prefix: kind for kind, prefix, _ in re.findall(r'\.reg\s+\.(\w+)\s+%(\w+)<(\d+)>\s*;', self.body)}
        body = re.sub(r'\.reg\s+\.\w+\s+%\w+<\d+>\s*;', '', self.body)
        used = {}
        for prefix, number in set(re.findall(r'%([a-z]+)(\d+)\b', body)):
            if prefix in registers:
                used.setdefault(TYPES[registers[prefix]], []).append(prefix + number)
        lines = [self.statement(s) for s in statements(body) if s]
        signature = ', '.join(f'ptx::Struct<{n}> {name}' if n else f'{TYPES[kind]} {name}' for kind, name, n in self.params)
        result = TYPES[self.result] if self.result else 'void'
        out = []
        if self.entry:
            out.append(f'static ptx::Entry entry_{self.name}{{"{self.name}"}};')
            out.append(f'static void {self.name}({signature});')
            out.append(f'static sim::Register register_{self.name}("{self.name}", {self.name}, '
                       f'{"true" if self.barriers else "false"});')
        out.append(f'static __attribute__((noinline)) {result} {self.name}({signature}) {{')
        if self.ranges:
            out.append(f'static ptx::Range known[{self.ranges}];')
        if self.entry:
            out.append(f'entry_{self.name}.note({self.top});')
        if self.result:
            out.append(f'{result} func_retval0;')
        out += [f'{t} {", ".join(sorted(names))};' for t, names in sorted(used.items())]
        return out + lines + ['}']


def functions(text):
    """Yields what stands outside of functions, and then each head with its body."""
    outside, found, at = '', [], 0
    while head := FUNCTION.search(text, at):
        outside += text[at:head.start()]
        depth, end = 1, head.end()
        while depth:
            depth += (text[end] == '{') - (text[end] == '}')
            end += 1
        found.append((head, text[head.end():end - 1]))
        at = end
    return outside + text[at:], found


def mutate(body, name):
    """Changes one instruction that computes what the kernel stores: the last
    floating-point addition, multiplication or, where there is none, the last
    addition of an address."""
    for pattern, change in ((r'(?m)^(\s*(?:@!?%p\d+ )?)fma\.rn\.(f32|f64)(\s+%\w+, %\w+, [^,]+, )(\S+);$', None),
                            (r'\badd(?:\.rn)?\.(f32|f64)\b', r'sub.\1'), (r'\bmul(?:\.rn)?\.(f32|f64)\b', r'add.\1'),
                            (r'\badd\.s64\b', 'sub.s64')):
        hits = list(re.finditer(pattern, body))
        if not hits:
            continue
        hit = hits[len(hits) // 2]
        if change is None:
            new = f'{hit[1]}mul.{hit[2]}{hit[3].rstrip(", ")};'
        else:
            new = hit.expand(change)
        return body[:hit.start()] + new + body[hit.end():]
    raise SystemExit(f'ptx.py: {name} has nothing to change')


def main(args):
    mutant = args.pop(1) if args[0] == '--mutate' else None
    listing = args[0] == '--entries'
    if args[0].startswith('--'):
        args.pop(0)
    out, met = ['#include "ptx.h"', 'using std::fabs;', 'namespace {'], False
    for path in args:
        with open(path) as f:
            text = re.sub(r'/\*.*?\*/|//[^\n]*', '', f.read(), flags=re.S)
        outside, found = functions(text)
        shared, top = {}, 0
        for align, kind, name, n in SHARED.findall(outside):
            top = -(-top // int(align)) * int(align)
            shared[name] = top
            top += int(n or 1) * BYTES[kind]
        dynamic = DYNAMIC.findall(outside)
        outside = DYNAMIC.sub('', outside)
        left = re.sub(r'\.func[^;]*;|\.(version|target|address_size)[^\n]*', '', SHARED.sub('', outside)).strip()
        if left:
            raise SystemExit(f'ptx.py: {path}: what is {left}')
        module = os.path.splitext(os.path.basename(path))[0]
        out.append(f'namespace {module} {{')
        for head, body in found:
            name = head[3]
            if listing and 'entry' in head[1]:
                print(name)
            if name == mutant:
                body, met = mutate(body, name), True
            out += Function(f'{module}: {name}', head, body, shared, top, dynamic).translate()
        out.append('}')
    out.append('}  // namespace')
    if mutant and not met:
        raise SystemExit(f'ptx.py: there is no entry {mutant}')
    if not listing:
        print('\n'.join(out))


main(sys.argv[1:])
