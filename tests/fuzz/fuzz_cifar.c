/* A batch of CIFAR-10 from any bytes, which the stream gunzips where they begin so; and ten names from any text. */
#include "fuzz/fuzz_data.h"

#include "data/cifar.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    ln_context  *context = fuzz_context();
    const size_t held = fuzz_held(context);
    char         names[CIFAR_CLASSES][CIFAR_NAME];
    ln_error     error = {0};
    fuzz_data(ln_cifar_parse(context, "fuzz", bytes, n_bytes, &error), &error);
    char *const text = calloc(1, n_bytes + 1);
    memcpy(text, bytes, n_bytes);
    if (ln_cifar_names(text, names))
        for (size_t i = 0; i < CIFAR_CLASSES; i++) fuzz_want(names[i][0] && memchr(names[i], 0, CIFAR_NAME));
    free(text);
    fuzz_want(fuzz_held(context) == held);
    return 0;
}
