/* CSV: an image or a point on each line, numbers between commas (or semicolons, or tabs), with a header or without.
 *
 * A column called label, class, target or y holds the labels, whole numbers 0 … 255; without a header they are the
 * first column where that can be, else the last. The values of a line are an image of count × 1 × 1: a CSV knows no
 * rows and columns of pixels. Whole numbers 0 … 255 throughout are kept as bytes, all else as floats. */
#ifndef LN_DATA_CSV_H
#define LN_DATA_CSV_H

#include "data/data.h"

ln_data *ln_csv_read(ln_context *context, const char *path, ln_error *error);
/* The same from memory; name stands in messages. */
ln_data *ln_csv_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error);

#endif
