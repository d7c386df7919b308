/* machine.c: what this machine is called. */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

const char *machine_processor(pool *owner) {
    char           line[256], name[256] = "";
    FILE          *file = fopen("/proc/cpuinfo", "r");
    struct utsname system;
    while (file && !*name && fgets(line, sizeof line, file)) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) memcpy(name, colon + 1, strlen(colon + 1) + 1);
    }
    if (file) fclose(file);
    char  *first = name + strspn(name, " ");
    size_t n = strcspn(first, "\n");
    while (n > 0 && first[n - 1] == ' ') n--;
    for (size_t i = 0; i < n; i++)
        if (first[i] < 0x20 || first[i] > 0x7e) first[i] = '?';
    if (n > 0) return pool_copy(owner, first, n);
    return uname(&system) == 0 ? pool_copy(owner, system.machine, strlen(system.machine)) : "unknown";
}
