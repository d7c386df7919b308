/* IDX, the format of MNIST: 00 00 08 RANK, RANK sizes of 4 bytes (big-endian), then the values, one byte each. */
#ifndef LN_DATA_IDX_H
#define LN_DATA_IDX_H

#include "data/stream.h"

typedef struct ln_idx {
    size_t   rank, dims[4]; /* rank 1 (labels), 2 (n, values), 3 (n, h, w) or 4 (n, c, h, w); no size is 0 */
    size_t   n_bytes;       /* their product */
    uint8_t *values;        /* from ln_allocate: the caller's */
} ln_idx;

/* Reads path (gzip or not) straight into values. sum (may be NULL) becomes the SHA-256 of the stored file. Every field
 * is checked, and the sizes against the length of the file, before memory is taken; the header's product bounds what
 * is ever unpacked. */
ln_status ln_idx_read(ln_context *context, const char *path, unsigned char sum[LN_SHA256], ln_idx *idx,
                      ln_error *error);
/* The same from memory; name stands in messages. */
ln_status ln_idx_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_idx *idx,
                       ln_error *error);

#endif
