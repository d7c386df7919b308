/* NPY, NumPy's format of one array: "\x93NUMPY", version, length, a header as a Python dict, then the values. */
#ifndef LN_DATA_NPY_H
#define LN_DATA_NPY_H

#include "data/data.h"
#include "data/values.h"

enum { LN_NPY_TEXTS = 256, LN_NPY_LETTERS = 256 }; /* texts, and letters of each, at most */

/* Where the bytes of an array come from: a file, or a member of an archive. */
typedef struct ln_npy_source {
    const char *name; /* in messages */
    ln_status (*read)(void *from, void *bytes, size_t n, const char *what, ln_error *error); /* exactly n */
    void       *from;
    uint64_t    bound; /* bytes that can come at most, the header's among them */
} ln_npy_source;

typedef struct ln_npy {
    char   kind;           /* 'b', 'u', 'i', 'f'; of texts 'U' (UTF-32), 'S' (bytes) */
    size_t size;           /* bytes a value */
    size_t rank, shape[4]; /* no size is 0, the first is images or labels */
    size_t count;
    size_t n_header;       /* bytes before the values */
} ln_npy;

/* Bounds the array by source->bound, before memory is taken for it. */
ln_status ln_npy_header(const ln_npy_source *source, ln_npy *npy, ln_error *error);
/* The values, all finite: floats of a float type, else what ln_values makes of them. The caller frees them. */
ln_status ln_npy_values(ln_context *context, const ln_npy_source *source, const ln_npy *npy, ln_values *values,
                        ln_error *error);

/* A vector of at most LN_NPY_TEXTS texts as UTF-8: pointers and texts in one piece of memory, from ln_allocate. */
ln_status ln_npy_texts(ln_context *context, const ln_npy_source *source, const ln_npy *npy, char ***texts,
                       ln_error *error);

/* Labels, from ln_allocate; {0}: none. */
typedef struct ln_npy_labels {
    uint8_t *of; /* each image */
    int      n_classes;
    char   **names; /* n_classes of them, or NULL */
} ln_npy_labels;

/* Images n, n × count, n × h × w, n × c × h × w or n × h × w × c as a data set. It copies names; once it is made it has
 * values and labels->of. */
ln_data *ln_npy_images(ln_context *context, const char *name, const ln_npy *npy, ln_values *values,
                       const ln_npy_labels *labels, ln_error *error);

/* A file of one array: images without labels. */
ln_data *ln_npy_read(ln_context *context, const char *path, ln_error *error);
ln_data *ln_npy_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error);

#endif
