/* safetensors: named float32 tensors and a map of texts in one file.
 *
 * 8 bytes: length of the header, little-endian; the header: JSON, padded with spaces to a multiple of 8; the values,
 * one tensor after the other without holes. */
#ifndef LN_IO_SAFETENSORS_H
#define LN_IO_SAFETENSORS_H

#include "base/context.h"
#include "base/file.h"

typedef struct ln_tensor {
    const char  *name;
    size_t       rank, shape[4], count; /* count: product of the shape; 1 for rank 0 */
    const float *values; /* NULL while they are in the file alone */
} ln_tensor;

typedef struct ln_metadata { const char *key, *value; } ln_metadata;

/* What a file holds. Everything pointed to belongs to it and lives until ln_safetensors_free. */
typedef struct ln_safetensors {
    ln_context  *context;
    size_t       n_tensors, n_metadata;
    ln_tensor   *tensors;  /* in the order in which their values lie in the file */
    ln_metadata *metadata; /* by key */
    char        *text;     /* names, keys and values */
    void        *values;   /* of all tensors; NULL while they are in the file */
    size_t       next;     /* the tensor whose values are taken next */
    const char  *path;     /* the caller's */
    int          fd;       /* where the next tensor's values begin; -1 when they are in memory */
} ln_safetensors;

/* Limits on what is read. Names and keys have 1 to LN_SAFETENSORS_NAME bytes and no control characters. */
enum { LN_SAFETENSORS_HEADER = 1 << 22, LN_SAFETENSORS_NAME = 255 };

/* Reads the header and checks everything: lengths, JSON, types, shapes, offsets without overlap, hole or overhang,
 * names without duplicates. Only F32 of rank 4 at most is read (else LN_E_UNSUPPORTED). Values may be any bits, NaN
 * among them; they stay in the file, so that they are never in memory twice. path must outlive file. */
ln_status ln_safetensors_open(ln_context *context, const char *path, ln_safetensors *file, ln_error *error);
/* The values of the next tensor, from the first on, to to. */
ln_status ln_safetensors_take(ln_safetensors *file, float *to, ln_error *error);
/* Header and values from memory, which may be freed afterwards; name stands in messages, and must outlive file. */
ln_status ln_safetensors_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                               ln_safetensors *file, ln_error *error);
void ln_safetensors_free(ln_safetensors *file); /* a zeroed one is fine */

/* NULL when there is none. */
const ln_tensor *ln_safetensors_find(const ln_safetensors *file, const char *name);
const char      *ln_safetensors_get(const ln_safetensors *file, const char *key);

/* Writes as base/file.h does: path holds the old contents or all of the new. The same tensors and texts give the same
 * bytes. Names must be distinct, and not "__metadata__". */
ln_status ln_safetensors_write(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_error *error);

/* The same in parts: all but ln_safetensors_finish by the thread whose context it is. */
typedef struct ln_safetensors_writer {
    ln_file_writer  *file;
    char            *header;
    const ln_tensor *tensors; /* the caller's, and their values: until finished */
    size_t           n_tensors;
} ln_safetensors_writer;

ln_status ln_safetensors_begin(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_safetensors_writer *writer,
                               ln_error *error);
/* Writes, syncs and renames. Asks no allocator. */
ln_status ln_safetensors_finish(const ln_safetensors_writer *writer, ln_error *error);
/* Frees the writer; where it was not finished, path stays as it was. A zeroed one is fine. */
void ln_safetensors_end(ln_safetensors_writer *writer);

#endif
