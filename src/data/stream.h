/* Bytes in order, from a file or from memory, gunzipped when they begin as gzip does, hashed on the way if wanted.
 * Small: one buffer of 64 KiB and zlib's window; whoever reads gives the final place of the bytes. */
#ifndef LN_DATA_STREAM_H
#define LN_DATA_STREAM_H

#include "base/context.h"

enum { LN_SHA256 = 32 };

typedef struct ln_stream ln_stream;

ln_status ln_stream_open(ln_context *context, const char *path, ln_stream **stream, ln_error *error);
/* bytes must outlive the stream; name stands in messages. */
ln_status ln_stream_open_memory(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                                ln_stream **stream, ln_error *error);
void ln_stream_close(ln_stream *stream);

/* Sums the stored (compressed) bytes from now on: call it before the first read. */
void ln_stream_hash(ln_stream *stream);
/* The sum of what was read so far; of the whole file after ln_stream_end. */
void ln_stream_sum(ln_stream *stream, unsigned char sum[LN_SHA256]);

/* The most bytes that can still come: the exact number without gzip; with it, what deflate can make of the rest. */
uint64_t ln_stream_bound(const ln_stream *stream);
bool     ln_stream_is_gzip(const ln_stream *stream);

/* Up to n bytes (n > 0); *got is 0 at the end only, which ln_stream_end then checks. */
ln_status ln_stream_read_some(ln_stream *stream, void *bytes, size_t n, size_t *got, ln_error *error);
/* Exactly n bytes, or LN_E_FORMAT: truncated, damaged. what ("the pixels") stands in the message. */
ln_status ln_stream_read(ln_stream *stream, void *bytes, size_t n, const char *what, ln_error *error);
/* Checks that nothing follows, and gzip's own check sums. */
ln_status ln_stream_end(ln_stream *stream, ln_error *error);

#endif
