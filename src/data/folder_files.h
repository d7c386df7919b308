/* The files of a folder of pictures, before any is read: which classes there are, and which pictures each has. */
#ifndef LN_DATA_FOLDER_FILES_H
#define LN_DATA_FOLDER_FILES_H

#include "base/context.h"

#include <limits.h>

enum { LN_FOLDER_CLASSES = 256 };

typedef struct ln_folder_file {
    char    *name; /* CLASS/PICTURE, from ln_allocate; of a class: its folder */
    size_t   n_bytes;
    uint64_t inode;
    int64_t  modified, changed; /* nanoseconds since 1970 */
    uint8_t  label;
    bool     other; /* no picture */
} ln_folder_file;

typedef struct ln_folder_list {
    ln_folder_file *file;
    size_t          n, capacity;
} ln_folder_list;

typedef struct ln_folder {
    ln_context       *context;
    const char       *path;
    const ln_reading *reading;
    ln_folder_list    classes, pictures; /* by name; pictures class by class */
    int64_t           listed;            /* when finding them began, as their times are counted */
} ln_folder;

/* Fills both lists; one warning counts and names the files that are no pictures. A class without any is refused. */
ln_status ln_folder_find(ln_folder *f, ln_error *error);
void      ln_folder_forget(ln_folder *f);
/* "PATH/CLASS/PICTURE" of picture i. */
void ln_folder_path(const ln_folder *f, size_t i, char path[PATH_MAX]);
/* Which of train, val and test are folders in path; none where there are others, which are classes then. */
ln_status ln_folder_parts(ln_context *context, const char *path, bool found[3], ln_error *error);

#endif
