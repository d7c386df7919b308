/* Data sets that are computed: "points n=211 noise=0.3 seed=1", "pictures n=1000 c=3 h=32 w=32 classes=10". */
#ifndef LN_DATA_GENERATE_H
#define LN_DATA_GENERATE_H

#include "data/data.h"

/* Does name begin with a generator's word? */
bool ln_generates(const char *name);
/* The images that name describes; the test part draws other numbers. */
ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error);

#endif
