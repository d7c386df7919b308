/* What a checkpoint says of itself, from any bytes: a place within its training, or an error with a sentence. */
#include "fuzz/fuzz.h"

#include "train/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context    *context = fuzz_context();
    const size_t   held = fuzz_held(context);
    ln_safetensors file = {0};
    ln_checkpoint  found;
    ln_error       error = {0};
    if (ln_safetensors_parse(context, "fuzz", bytes, n_bytes, &file, &error) == LN_OK &&
        ln_checkpoint_parse(&file, &found, &error) == LN_OK) {
        fuzz_want(found.steps_per_epoch > 0 && found.step <= found.steps_per_epoch * found.n_epochs);
        fuzz_want(found.n_own <= LN_CHECKPOINT_OWN);
        fuzz_want(!found.epoch_done || found.step % found.steps_per_epoch == 0);
    } else {
        fuzz_want(error.status != LN_OK && error.message[0]);
    }
    ln_safetensors_free(&file);
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
