/* Numbers on their way into a store: bytes as long as all are whole and 0 … 255, floats from the first other one on. */
#ifndef LN_DATA_VALUES_H
#define LN_DATA_VALUES_H

#include "base/context.h"

#include <float.h>

typedef struct ln_values {
    ln_context *context;
    size_t      n, room;
    uint8_t    *bytes;  /* from ln_allocate_large, as is floats; one of the two is NULL */
    float      *floats;
} ln_values;

/* who stands in messages. */
ln_status ln_values_start(ln_context *context, const char *who, size_t room, bool floats, ln_values *values,
                          ln_error *error);
void      ln_values_free(ln_values *values);
/* Bytes become floats. */
ln_status ln_values_widen(ln_values *values, const char *who, ln_error *error);

static inline bool ln_is_byte(double x) { return x >= 0 && x <= 255 && (double)(int)x == x; }

/* Neither NaN nor infinite, also as a float. */
static inline bool ln_is_float(double x) { return x >= -(double)FLT_MAX && x <= (double)FLT_MAX; }

/* Such an x as the next value; there must be room. */
static inline ln_status ln_values_add(ln_values *v, double x, const char *who, ln_error *error) {
    if (v->bytes && ln_is_byte(x)) {
        v->bytes[v->n++] = (uint8_t)x;
        return LN_OK;
    }
    if (v->bytes) {
        const ln_status status = ln_values_widen(v, who, error);
        if (status != LN_OK) return status;
    }
    v->floats[v->n++] = (float)x;
    return LN_OK;
}

static inline double ln_values_get(const ln_values *v, size_t i) {
    return v->bytes ? (double)v->bytes[i] : (double)v->floats[i];
}

#endif
