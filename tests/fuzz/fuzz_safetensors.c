/* safetensors from any bytes: tensors that cover the values exactly, or an error with a sentence. */
#include "fuzz/fuzz.h"

#include "io/safetensors.h"

static void check(const ln_safetensors *file, size_t n_bytes) {
    const float *next = file->values;
    for (size_t i = 0; i < file->n_tensors; i++) {
        const ln_tensor *t = &file->tensors[i];
        size_t           count = 1;
        for (size_t j = 0; j < t->rank; j++) count *= t->shape[j];
        fuzz_want(t->rank <= 4 && count == t->count && t->values == next);
        fuzz_want(ln_safetensors_find(file, t->name) == t);
        volatile float last = count ? t->values[count - 1] : 0; /* touches the end */
        (void)last;
        next += count;
    }
    fuzz_want((size_t)(next - (const float *)file->values) * sizeof(float) <= n_bytes);
    for (size_t i = 0; i < file->n_metadata; i++)
        fuzz_want(ln_safetensors_get(file, file->metadata[i].key) == file->metadata[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context    *context = fuzz_context();
    const size_t   held = fuzz_held(context);
    ln_safetensors file;
    ln_error       error = {0};
    if (ln_safetensors_parse(context, "fuzz", bytes, n_bytes, &file, &error) == LN_OK) {
        check(&file, n_bytes);
        ln_safetensors_free(&file);
    } else {
        fuzz_want(error.status != LN_OK && error.message[0]);
    }
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
