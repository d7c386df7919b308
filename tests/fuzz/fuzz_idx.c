/* IDX from any bytes: a list whose size is the product of its sizes, or an error with a sentence. */
#include "fuzz/fuzz.h"

#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    ln_idx       idx;
    ln_error     error = {0};
    if (ln_idx_parse(context, "fuzz", bytes, n_bytes, &idx, &error) == LN_OK) {
        size_t product = 1;
        for (size_t i = 0; i < idx.rank; i++) product *= idx.dims[i];
        fuzz_want(product == idx.n_bytes && product > 0);
        static volatile uint8_t sum; /* touches every value */
        for (size_t i = 0; i < idx.n_bytes; i++) sum = sum ^ idx.values[i];
        ln_release(context, idx.values);
    } else {
        fuzz_want(error.status != LN_OK && error.message[0]);
    }
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
