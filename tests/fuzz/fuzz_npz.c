/* NPZ and NPY from any bytes: images whose every value is there and finite, or an error with a sentence. */
#include "fuzz/fuzz_data.h"

#include "data/npy.h"
#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    for (int part = 0; part < 3; part++) {
        ln_error error = {0};
        if (part < 2) fuzz_data(ln_npz_parse(context, "fuzz", bytes, n_bytes, part == 1, &error), &error);
        else fuzz_data(ln_npy_parse(context, "fuzz", bytes, n_bytes, &error), &error);
        fuzz_want(fuzz_held(context) == held);
    }
    return 0;
}
