/* What must hold of a data set that a parser made of any bytes. */
#ifndef LN_TESTS_FUZZ_DATA_H
#define LN_TESTS_FUZZ_DATA_H

#include "fuzz/fuzz.h"

#include <math.h>

/* data was made, or error says why not; frees data. */
static inline void fuzz_data(ln_data *data, const ln_error *error) {
    if (!data) {
        fuzz_want(error->status != LN_OK && error->message[0]);
        return;
    }
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w;
    fuzz_want(info.n > 0 && count > 0);
    static volatile uint8_t sum; /* touches every value */
    for (size_t i = 0; i < info.n; i++) {
        const void *const image = ln_data_image(data, i);
        for (size_t j = 0; j < count; j++) {
            if (info.is_float) fuzz_want(isfinite(((const float *)image)[j]));
            else sum = sum ^ ((const uint8_t *)image)[j];
        }
        fuzz_want(info.has_labels ? ln_data_label(data, i) < info.n_classes : ln_data_label(data, i) == -1);
    }
    ln_data_free(data);
}

#endif
