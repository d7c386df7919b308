/* IDX, read in one pass into its final memory. */
#include "data/idx.h"

#include "base/large.h"

enum { LN_IDX_UINT8 = 8 };

static ln_status read_magic(ln_stream *stream, const char *name, size_t *rank, ln_error *error) {
    unsigned char magic[4];
    if (ln_stream_bound(stream) == 0)
        return ln_fail(error, LN_E_FORMAT, "%s: the file is empty, but images were wanted: give another one", name);
    const ln_status status = ln_stream_read(stream, magic, sizeof magic, "the IDX header", error);
    if (status != LN_OK) return status;
    if (magic[0] || magic[1])
        return ln_fail(error, LN_E_FORMAT, "%s: not an IDX file: it begins with %02x %02x, not with 00 00", name,
                       magic[0], magic[1]);
    if (magic[2] != LN_IDX_UINT8)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an IDX file of type 0x%02x, but only unsigned bytes (0x08) are "
                       "read: store it as unsigned bytes",
                       name, magic[2]);
    if (magic[3] < 1 || magic[3] > 4)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an IDX file of rank %d, but rank 1 (labels), 2 (images as rows of values), 3 (grey images) "
                       "or 4 (images of several channels) was wanted: reshape it",
                       name, magic[3]);
    *rank = magic[3];
    return LN_OK;
}

static ln_status read_sizes(ln_stream *stream, const char *name, ln_idx *idx, ln_error *error) {
    unsigned char   sizes[4 * 4];
    const ln_status status = ln_stream_read(stream, sizes, 4 * idx->rank, "the IDX header", error);
    if (status != LN_OK) return status;
    idx->n_bytes = 1;
    for (size_t i = 0; i < idx->rank; i++) {
        const unsigned char *size = sizes + 4 * i;
        idx->dims[i] = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
        if (idx->dims[i] == 0)
            return ln_fail(error, LN_E_FORMAT, "%s: empty: its header announces %s of size 0", name,
                           i                ? "images"
                           : idx->rank == 1 ? "a list of labels"
                                            : "a list of images");
        if (!ln_multiply(idx->n_bytes, idx->dims[i], &idx->n_bytes))
            return ln_fail(error, LN_E_FORMAT,
                           "%s: its header announces more bytes than there are numbers for: correct its "
                           "sizes, or get or make the file anew",
                           name);
    }
    return LN_OK;
}

/* A header can announce more than the file can hold: told apart here, before memory is taken for it. */
static ln_status check_length(const ln_stream *stream, const char *name, const ln_idx *idx, ln_error *error) {
    const uint64_t bound = ln_stream_bound(stream);
    if (idx->n_bytes > bound)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: truncated or damaged: its header announces %zu bytes of values, but %s "
                       "%ju: correct its sizes, or get or make the file anew",
                       name, idx->n_bytes,
                       ln_stream_is_gzip(stream) ? "what is left of the file unpacks to at most" : "the file holds",
                       (uintmax_t)bound);
    return LN_OK;
}

static ln_status read_stream(ln_context *context, ln_stream *stream, const char *name, ln_idx *idx, ln_error *error) {
    ln_idx    made = {0};
    ln_status status = read_magic(stream, name, &made.rank, error);
    if (status == LN_OK) status = read_sizes(stream, name, &made, error);
    if (status == LN_OK) status = check_length(stream, name, &made, error);
    if (status != LN_OK) return status;
    void *memory;
    status = ln_allocate_large(context, name, made.n_bytes, &memory, error);
    if (status != LN_OK) return status;
    made.values = memory;
    status = ln_stream_read(stream, made.values, made.n_bytes, "its values", error);
    if (status == LN_OK) status = ln_stream_end(stream, error);
    if (status != LN_OK) {
        ln_release(context, made.values);
        return status;
    }
    *idx = made;
    return LN_OK;
}

ln_status ln_idx_read(ln_context *context, const char *path, unsigned char sum[LN_SHA256], ln_idx *idx,
                      ln_error *error) {
    ln_stream *stream = NULL;
    ln_status  status = ln_stream_open(context, path, &stream, error);
    if (status != LN_OK) return status;
    if (sum) ln_stream_hash(stream);
    status = read_stream(context, stream, path, idx, error);
    if (sum && status == LN_OK) ln_stream_sum(stream, sum);
    ln_stream_close(stream);
    return status;
}

ln_status ln_idx_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_idx *idx,
                       ln_error *error) {
    ln_stream *stream = NULL;
    ln_status  status = ln_stream_open_memory(context, name, bytes, n_bytes, &stream, error);
    if (status != LN_OK) return status;
    status = read_stream(context, stream, name, idx, error);
    ln_stream_close(stream);
    return status;
}
