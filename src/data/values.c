/* Where numbers of a type that only their values tell are gathered. */
#include "data/values.h"

#include "base/large.h"

ln_status ln_values_start(ln_context *context, const char *who, size_t room, bool floats, ln_values *values,
                          ln_error *error) {
    size_t n_bytes = room;
    *values = (ln_values){.context = context, .room = room};
    if (floats && !ln_multiply(room, sizeof(float), &n_bytes)) n_bytes = SIZE_MAX;
    void           *memory;
    const ln_status status = ln_allocate_large(context, who, n_bytes, &memory, error);
    if (status != LN_OK) return status;
    if (floats) values->floats = memory;
    else values->bytes = memory;
    return LN_OK;
}

void ln_values_free(ln_values *v) {
    if (v->context) {
        ln_release(v->context, v->bytes);
        ln_release(v->context, v->floats);
    }
    *v = (ln_values){0};
}

ln_status ln_values_widen(ln_values *v, const char *who, ln_error *error) {
    ln_values       wide;
    const ln_status status = ln_values_start(v->context, who, v->room, true, &wide, error);
    if (status != LN_OK) return status;
    for (size_t i = 0; i < v->n; i++) wide.floats[i] = v->bytes[i];
    wide.n = v->n;
    ln_values_free(v);
    *v = wide;
    return LN_OK;
}
