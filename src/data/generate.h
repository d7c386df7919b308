/* Data sets that are computed: "points n=211 noise=0.3 seed=1", "pictures n=1000 c=3 h=32 w=32 classes=10". */
#ifndef LN_DATA_GENERATE_H
#define LN_DATA_GENERATE_H

#include "base/attr.h"
#include "data/data.h"

/* Does name begin with a generator's word? */
bool ln_generates(const char *name);
/* The i-th generator; false: there are fewer. Each takes ln_generator_attrs beside its own arguments. */
bool ln_generator(size_t i, const char **name, const char **help, const ln_attr **attrs);
extern const ln_attr ln_generator_attrs[];
/* Is name such a line, whatever memory it takes? */
ln_status ln_generator_check(const char *name, ln_error *error);
/* The images that name describes; the test part draws other numbers. */
ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error);

#endif
