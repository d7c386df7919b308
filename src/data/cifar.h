/* CIFAR-10 in its binary version: records of a label and 3 × 32 × 32 bytes. */
#ifndef LN_DATA_CIFAR_H
#define LN_DATA_CIFAR_H

#include "base/context.h"

enum { CIFAR_CLASSES = 10, CIFAR_NAME = 64 };

/* Is it such a folder: with data_batch_1.bin or test_batch.bin in it? */
bool ln_cifar_is_folder(const char *path);
bool ln_cifar_has_test(const char *path);
/* The training images (data_batch_1.bin to data_batch_5.bin, those that are there) or the test images (test_batch.bin);
 * the names of the classes are from batches.meta.txt, where that is. */
ln_data *ln_cifar_open_folder(ln_context *context, const char *path, bool test, ln_error *error);

/* Is the file as long as so many records, and does each begin with a label of 0 to 9? */
bool ln_cifar_is_file(const char *path);
ln_data *ln_cifar_open_file(ln_context *context, const char *path, ln_error *error);
/* The same from memory; name stands in messages. */
ln_data *ln_cifar_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error);
/* The lines of batches.meta.txt as names: ten that are not empty, or false. */
bool ln_cifar_names(const char *text, char names[CIFAR_CLASSES][CIFAR_NAME]);

#endif
