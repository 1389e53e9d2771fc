/* pystr_tables.h - the generated Unicode tables behind pystr.c. */
#ifndef PROTO_PYSTR_TABLES_H
#define PROTO_PYSTR_TABLES_H

#include <stdint.h>

struct pystr_range { /* first, first + step ... last; sorted, disjoint */
    uint32_t first, last, step;
};

struct pystr_shift { /* the same; each maps to itself + shift */
    uint32_t first, last, step;
    int32_t shift;
};

struct pystr_many { /* sorted by from; to ends with 0 or is full */
    uint32_t from, to[3];
};

#define PYSTR_SET(name)                                                                            \
    extern const struct pystr_range name[];                                                        \
    extern const unsigned name##_n
#define PYSTR_MAP(name)                                                                            \
    extern const struct pystr_shift name[];                                                        \
    extern const unsigned name##_n;                                                                \
    extern const struct pystr_many name##_many[];                                                  \
    extern const unsigned name##_many_n

PYSTR_SET(pystr_set_alnum);
PYSTR_SET(pystr_set_digit);
PYSTR_SET(pystr_set_upper);
PYSTR_SET(pystr_set_lower);
PYSTR_SET(pystr_set_title);
PYSTR_SET(pystr_set_ignorable);
PYSTR_MAP(pystr_to_lower);
PYSTR_MAP(pystr_to_upper);
PYSTR_MAP(pystr_to_title);

#endif
