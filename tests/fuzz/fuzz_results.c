/* Tables of results from any bytes: columns that are all there, or an error with a sentence. */
#include "fuzz/fuzz.h"

#include "cli/results.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    pool        owner = {0};
    results     r;
    ln_error    error = {0};
    double      sum = 0;
    const char *copy = pool_copy(&owner, (const char *)bytes, n_bytes); /* with a NUL behind */
    if (results_parse(&r, &owner, "fuzz.csv", copy, n_bytes, &error)) {
        fuzz_want(r.n_columns > 0 && r.n_columns <= RESULTS_MAX_COLUMNS);
        for (size_t k = 0; k < r.n_columns; k++) {
            fuzz_want(results_column(&r, r.name[k]) != NULL);
            for (size_t i = 0; i < r.n_rows; i++) sum += r.column[k][i];
        }
        fuzz_want(strlen(results_names(&r, &owner)) > 0);
    } else fuzz_want(error.status != LN_OK && error.message[0]);
    pool_free(&owner);
    volatile double read = sum;
    (void)read;
    return 0;
}
