/* Data sets as files: what each format's writer is given. Each writes what ln_data_open reads back to the same values,
 * or leaves what was there as it was. */
#ifndef LN_DATA_WRITE_H
#define LN_DATA_WRITE_H

#include "base/work.h"
#include "data/data.h"

/* One format each. test may be NULL; both parts go into arrays alone. */
ln_status ln_idx_write(ln_context *context, const char *path, const ln_data *data, ln_error *error);
ln_status ln_csv_write(ln_context *context, const char *path, const ln_data *data, ln_error *error);
ln_status ln_folder_write(ln_context *context, const char *path, const ln_data *data, ln_error *error);
ln_status ln_arrays_write(ln_context *context, const char *path, const ln_data *data, const ln_data *test,
                          ln_error *error);
/* Is path the name of IDX images, or of a pair of files? */
bool ln_idx_named(const char *path);

/* The label that the image has in the file it came from. */
static inline int ln_data_written_label(const ln_data *data, size_t i) {
    return ln_data_class(data, ln_data_label(data, i));
}

/* Does text end so, with something before it? */
bool ln_ends_in(const char *text, const char *end);

/* A PNG picture in memory that malloc gave (libspng knows no other): the caller frees *bytes by free(). rows: room for
 * c·h·w bytes, used where c is 3. */
ln_status ln_picture_encode(const char *path, const uint8_t *pixels, size_t c, size_t h, size_t w, uint8_t *rows,
                            void **bytes, size_t *n_bytes, ln_error *error);

#endif
