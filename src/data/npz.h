/* NPZ, NumPy's zip archive of NPY arrays, as images and labels.
 *
 * An array's name says what it holds: a part (train, test, val) and a role (x, images, data, …; y, labels, targets, …)
 * in any order, with digits and signs between: x_train, train_images, test_y012. Without a part in any of the names,
 * they are of every part. */
#ifndef LN_DATA_NPZ_H
#define LN_DATA_NPZ_H

#include "data/data.h"

ln_data *ln_npz_open(ln_context *context, const char *path, bool test, ln_error *error);
/* Whether path is an NPZ with a test part of its own: images and labels. */
bool ln_npz_has_test(const char *path);
/* The same as ln_npz_open from memory; name stands in messages. */
ln_data *ln_npz_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, bool test,
                      ln_error *error);

#endif
