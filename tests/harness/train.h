/* For tests: a training from images in memory to the weights it leaves. */
#ifndef LN_TESTS_TRAIN_H
#define LN_TESTS_TRAIN_H

#include "harness/net.h"

/* n images of bytes, of which those before `first` are left out, a network of these lines, and its loss (NULL: the
 * usual one). */
typedef struct train_set {
    const uint8_t     *pixels, *labels;
    size_t             n, first;
    ln_shape           in;
    const char *const *lines;
    const char        *loss;
} train_set;

/* The parameters that ln_train leaves, to be freed. */
static inline float *train_weights(const train_set *set, int n_threads, const ln_train_options *options,
                                   size_t *n_bytes) {
    ln_error          error = {0};
    ln_context *const context = net_context(NULL, n_threads);
    ln_model *const   model = net_model(context, set->in, set->lines);
    ln_data *const    data = ln_data_from_bytes(context, set->pixels, set->labels, set->n, set->in.c, set->in.h,
                                                set->in.w, NULL);
    if (set->first > 0) assert_int_equal(ln_data_keep_rows(data, set->first, set->n - set->first, NULL), LN_OK);
    if (set->loss) assert_int_equal(ln_model_set_loss(model, set->loss, &error), LN_OK);
    if (ln_train(model, data, options, &error) != LN_OK) fail_msg("%s", error.message);
    float *const weights = net_weights(model, n_bytes);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return weights;
}

#endif
