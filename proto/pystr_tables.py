#!/usr/bin/python3
"""Writes pystr_tables.c: what CPython's str knows of each code point, as sorted ranges.

    proto/pystr_tables.py | clang-format --style=file >proto/pystr_tables.c

Run it with the Python whose Unicode version shall be imitated (3.11: Unicode 14.0). Everything is
asked of str itself, so that the tables are right by construction.
"""
import sys
import unicodedata

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def runs(points):
    """(first, last, step) of sorted code points; step 1 or 2."""
    out = []
    i = 0
    while i < len(points):
        step = 1
        if i + 2 < len(points) and points[i + 1] == points[i] + 2 and points[i + 2] == points[i] + 4:
            step = 2
        j = i
        while j + 1 < len(points) and points[j + 1] == points[j] + step:
            j += 1
        out.append((points[i], points[j], step))
        i = j + 1
    return out


def show_set(name, what, test):
    rows = runs([c for c in ALL if test(chr(c))])
    print(f"/* {what} */")
    print(f"const struct pystr_range {name}[] = {{")
    print(", ".join(f"{{{a:#x}, {b:#x}, {s}}}" for a, b, s in rows))
    print(f"}};\nconst unsigned {name}_n = {len(rows)};\n")


def show_map(name, what, fold, unlike=lambda ch: ch):
    single, multi = {}, []
    for c in ALL:
        to = fold(chr(c))
        if to == unlike(chr(c)):
            continue
        if len(to) == 1:
            single.setdefault(ord(to) - c, []).append(c)
        else:
            multi.append((c, [ord(x) for x in to]))
    rows = sorted((a, b, s, d) for d, cs in single.items() for a, b, s in runs(cs))
    # Runs of step 2 may interleave with others; lookups want disjoint ones.
    flat = []
    for a, b, s, d in rows:
        if s == 2 and any(a < a2 < b for a2, b2, s2, d2 in rows if (a2, s2, d2) != (a, s, d)):
            flat += [(c, c, 1, d) for c in range(a, b + 1, 2)]
        else:
            flat.append((a, b, s, d))
    flat.sort()
    assert all(x[1] < y[0] for x, y in zip(flat, flat[1:]))
    print(f"/* {what}: one code point to one. */")
    print(f"const struct pystr_shift {name}[] = {{")
    print(", ".join(f"{{{a:#x}, {b:#x}, {s}, {d}}}" for a, b, s, d in flat))
    print(f"}};\nconst unsigned {name}_n = {len(flat)};\n")
    print(f"/* {what}: one code point to several. */")
    print(f"const struct pystr_many {name}_many[] = {{")
    print(", ".join(f"{{{c:#x}, {{{', '.join(hex(x) for x in to)}}}}}" for c, to in multi))
    print(f"}};\nconst unsigned {name}_many_n = {len(multi)};\n")


def cased(ch):
    return ch.isupper() or ch.islower() or ch.istitle()


def ignorable(ch):
    """Case_Ignorable, as the rule for the final sigma shows it."""
    if cased(ch):
        return ("A\u03a3" + ch).lower()[1] == "\u03c2"
    return ("A\u03a3" + ch + "B").lower()[1] == "\u03c3"


def main():
    print("/* pystr_tables.c - made by pystr_tables.py with Python "
          f"{sys.version_info[0]}.{sys.version_info[1]}, Unicode {unicodedata.unidata_version}. */")
    print('#include "proto/pystr_tables.h"\n')
    show_set("pystr_set_alnum", "str.isalnum", str.isalnum)
    show_set("pystr_set_digit", "str.isdigit", str.isdigit)
    show_set("pystr_set_upper", "str.isupper of one code point", str.isupper)
    show_set("pystr_set_lower", "str.islower of one code point", str.islower)
    show_set("pystr_set_title", "titlecase letters", lambda ch: unicodedata.category(ch) == "Lt")
    show_set("pystr_set_ignorable", "Case_Ignorable, for the final sigma", ignorable)
    show_map("pystr_to_lower", "str.lower", str.lower)
    show_map("pystr_to_upper", "str.upper", str.upper)
    show_map("pystr_to_title", "str.title where it is not str.upper (0: itself)", str.title, str.upper)


main()
