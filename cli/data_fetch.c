/* data_fetch.c: linnet data fetch NAME: gets a known set from where its authors, or mirrors, have it. linnet-fetch does
 * the work. */
#include "data.h"
#include "program.h"

#include <stdint.h>

static int run(const arguments *a) { return program_become("fetch", a); }

const data_word data_fetch = {
    .name = "fetch",
    .usage = "data fetch mnist|fashion-mnist|kmnist|cifar10 ... [to=FOLDER]",
    .keys = (const char *const[]){"to", NULL},
    .n_min = 1,
    .n_max = SIZE_MAX - 1,
    .run = run,
};
