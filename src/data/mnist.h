/* MNIST's four files: where they are looked for, and the sums by which they are known. */
#ifndef LN_DATA_MNIST_H
#define LN_DATA_MNIST_H

#include "base/context.h"

/* The training images (test false: 60000) or the test images (10000) with labels. folder (may be NULL) is searched
 * first; each place may hold the files or a folder "mnist" with them. */
ln_data *ln_mnist_open(ln_context *context, bool test, const char *folder, ln_error *error);

#endif
