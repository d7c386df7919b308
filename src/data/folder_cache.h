/* Decoded folders of pictures, kept in the cache folder: the second opening reads their pixels as one file. */
#ifndef LN_DATA_FOLDER_CACHE_H
#define LN_DATA_FOLDER_CACHE_H

#include "data/data.h"
#include "data/folder_files.h"

enum { LN_FOLDER_KEY = 32 };

typedef struct ln_folder_cache {
    bool          usable; /* false: nothing is read or written */
    unsigned char key[LN_FOLDER_KEY];
    char          path[PATH_MAX];
} ln_folder_cache;

/* Where f's images, as they are to be read, are or would be. */
void ln_folder_cache_find(const ln_folder *f, ln_folder_cache *cache);
/* *pixels (from ln_allocate_large) and the shape in p, or NULL where there are none, or they are damaged. It fails for
 * want of memory alone. */
ln_status ln_folder_cache_read(const ln_folder *f, const ln_folder_cache *cache, ln_data_parts *p, void **pixels,
                               ln_error *error);
/* Keeps them; what prevents it is no mistake. */
void ln_folder_cache_write(const ln_folder *f, const ln_folder_cache *cache, const ln_data_parts *p,
                           const void *pixels);

#endif
