/* A data set: images n × c × h × w as stored, uint8 or float32, with labels or not.
 *
 * The pixels lie in a store, which views share and count; a view of a part (ln_data_split) has an index into it. The
 * store's pixels are adjacent images of c·h·w values in channel, row, column order. */
#ifndef LN_DATA_DATA_H
#define LN_DATA_DATA_H

#include "base/context.h"

enum { LN_MAX_KEPT = 256 };

typedef struct ln_store {
    ln_context    *context;
    size_t         n_views;
    bool           is_float;
    size_t         n, c, h, w;
    size_t         image_bytes;  /* of one image */
    const void    *pixels;
    const uint8_t *labels;       /* NULL: none */
    int            n_classes;    /* largest label + 1, or more when the format says so; 0 without labels */
    char         **class_name;   /* n_classes pointers, and behind them the texts; NULL: the format has none */
    char         **image_name;   /* n, likewise */
    void          *own_pixels;   /* released with the last view; NULL: the caller's */
    void          *own_labels;
} ln_store;

struct ln_data {
    ln_store *store;
    size_t    n;
    uint32_t *index; /* n numbers of images in the store, ascending; NULL: all of them */
    int       n_kept;          /* classes kept (ln_data_keep_classes); 0: all of the store's */
    uint8_t   kept[LN_MAX_KEPT]; /* n_kept labels of the store: the view's label is the place here */
};

/* What a constructor is given. own: pixels and labels came from ln_allocate (or _large) and go over to the result, when
 * it is made (on failure they stay the caller's). */
typedef struct ln_data_parts {
    const void    *pixels;
    const uint8_t *labels;
    bool           is_float, own;
    size_t         n, c, h, w;
    int            n_classes; /* at least; 0: count them */
    const char *const *class_name; /* n_classes names, copied, where no label is larger; NULL: none */
    const char *const *image_name; /* n names, copied; NULL: none */
    const char        *below;      /* what stands before each of them ("train/"); NULL: nothing */
} ln_data_parts;

ln_data *ln_data_new(ln_context *context, const char *who, const ln_data_parts *parts, ln_error *error);

/* What a reading asks for, done to all images of a set as it was opened; name stands in messages. */
ln_status ln_data_prepare(ln_data **data, const char *name, const ln_reading *reading, ln_error *error);

/* The store's number of the view's image i < n: the image's name for random numbers, the same in every view. */
static inline uint32_t ln_data_number(const ln_data *data, size_t i) {
    return data->index ? data->index[i] : (uint32_t)i;
}

/* Image i of the view: image_bytes of stored values. */
static inline const void *ln_data_values(const ln_data *data, size_t i) {
    return (const unsigned char *)data->store->pixels + ln_data_number(data, i) * data->store->image_bytes;
}

#endif
