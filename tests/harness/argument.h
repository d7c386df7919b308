/* Which arguments of a table a struct holds with another value than their default: a test that gives all of them one
 * somewhere knows that none is left out. */
#ifndef LN_TESTS_ARGUMENT_H
#define LN_TESTS_ARGUMENT_H

#include "base/attr.h"

/* One bit a row of the table, the first row the lowest; a required argument always differs. */
static inline uint64_t arguments_given(const ln_attr *table, const void *args) {
    uint64_t given = 0;
    for (size_t i = 0; table[i].key; i++) {
        const ln_attr alone[] = {table[i], {0}};
        given |= (uint64_t)(ln_attr_print(alone, args, NULL, 0) > 0) << i;
    }
    return given;
}

/* The key of the first row that has no bit, or NULL. */
static inline const char *argument_missing(const ln_attr *table, uint64_t given) {
    for (size_t i = 0; table[i].key; i++)
        if (!(given >> i & 1)) return table[i].key;
    return NULL;
}

#endif
