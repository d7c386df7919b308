/* A picture from any bytes: one that can be scaled to any size, or an error with a sentence. */
#include "fuzz/fuzz.h"

#include "data/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    uint8_t      out[3 * 7 * 5];
    ln_picture   picture;
    ln_error     error = {0};
    if (ln_picture_decode(context, "fuzz", bytes, n_bytes, &picture, &error) == LN_OK) {
        fuzz_want(picture.h > 0 && picture.w > 0 && picture.max > 0);
        if (picture.h * picture.w < 1 << 16) { /* larger ones only cost time */
            ln_picture_scale(&picture, 1, 7, 5, out);
            ln_picture_scale(&picture, 3, 7, 5, out);
            (void)ln_picture_looks_inverted(out, 3, 7, 5);
        }
        ln_release(context, picture.samples);
    } else {
        fuzz_want(error.status != LN_OK && error.message[0]);
    }
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
