/* Sets that are known by name (data/sets.h): where they are looked for, and how they are opened. */
#ifndef LN_DATA_KNOWN_H
#define LN_DATA_KNOWN_H

#include "base/context.h"
#include "data/sets.h"

/* The training images or the test images with labels. folder (may be NULL) is searched first; each place may hold a
 * folder NAME with the set's files, or, of MNIST, the files themselves. */
ln_data *ln_known_open(ln_context *context, const ln_set *set, bool test, const char *folder, ln_error *error);

#endif
