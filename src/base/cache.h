/* The cache folder: what lies in it can be made again, so that all of it may be deleted at any time. */
#ifndef LN_BASE_CACHE_H
#define LN_BASE_CACHE_H

#include <limits.h>
#include <stdbool.h>

/* $LINNET_CACHE, $XDG_CACHE_HOME/linnet or $HOME/.cache/linnet, the first whose variable is set, made where it is not
 * there. False where there is none, or it cannot be written; errno says why, and path which. */
bool ln_cache_folder(char path[PATH_MAX]);

#endif
