/* A folder with a folder of pictures for each class, as a data set: what torchvision calls an ImageFolder. */
#ifndef LN_DATA_FOLDER_H
#define LN_DATA_FOLDER_H

#include "base/context.h"

/* part: the test or training images are meant and nothing else will do; else a folder without parts is taken whole. */
ln_data *ln_folder_open(ln_context *context, const char *path, bool test, bool part, const ln_reading *reading,
                        ln_error *error);

/* Has the folder a folder test or val, and none of a class? */
bool ln_folder_has_test(ln_context *context, const char *path);

#endif
