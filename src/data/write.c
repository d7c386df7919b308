/* ln_data_write: which format a name stands for. */
#include "data/write.h"

#include <string.h>

bool ln_ends_in(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n > m && memcmp(text + n - m, end, m) == 0;
}

ln_status ln_data_write(ln_context *context, const char *path, const ln_data *data, const ln_data *test,
                        ln_error *error) {
    if (!path || !*path) return ln_fail(error, LN_E_ARGUMENT, "cannot write data without a name: give a path");
    if (ln_ends_in(path, ".npz")) return ln_arrays_write(context, path, data, test, error);
    const bool folder = ln_ends_in(path, "/"), csv = ln_ends_in(path, ".csv"), idx = ln_idx_named(path);
    if (!folder && !csv && !idx)
        return ln_fail(
            error, LN_E_ARGUMENT,
            "%s: the end of the name says no format: .npz, .csv, .idx, -idx3-ubyte (both also with .gz) or / "
            "(a folder of PNG pictures) was wanted",
            path);
    if (test)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: of training and test images only one part can be written so: choose one, or write .npz",
                       path);
    return (folder ? ln_folder_write : csv ? ln_csv_write : ln_idx_write)(context, path, data, error);
}
