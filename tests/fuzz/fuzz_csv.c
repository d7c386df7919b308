/* CSV from any bytes: images whose every value is there and finite, or an error with a sentence. */
#include "fuzz/fuzz_data.h"

#include "data/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    ln_error     error = {0};
    fuzz_data(ln_csv_parse(context, "fuzz", bytes, n_bytes, &error), &error);
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
