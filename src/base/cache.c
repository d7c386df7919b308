/* Finding and making the cache folder. */
#include "base/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool name_folder(char path[PATH_MAX]) {
    static const struct {
        const char *variable, *below;
    } places[] = {{"LINNET_CACHE", ""}, {"XDG_CACHE_HOME", "/linnet"}, {"HOME", "/.cache/linnet"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *const root = getenv(places[i].variable);
        if (!root || !*root) continue;
        if (snprintf(path, PATH_MAX, "%s%s", root, places[i].below) < PATH_MAX) return true;
        errno = ENAMETOOLONG;
        return false;
    }
    snprintf(path, PATH_MAX, "~/.cache/linnet");
    errno = ENOENT;
    return false;
}

/* With the folders above it; nobody else is to read what users' data have become. */
static bool make_folder(char *path) {
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        const bool made = !mkdir(path, 0700) || errno == EEXIST || !access(path, F_OK);
        *slash = '/';
        if (!made) return false;
    }
    struct stat st;
    if (!mkdir(path, 0700)) return true;
    if (errno != EEXIST || stat(path, &st)) return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

bool ln_cache_folder(char path[PATH_MAX]) {
    return name_folder(path) && make_folder(path) && access(path, W_OK | X_OK) == 0;
}
